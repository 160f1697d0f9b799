// Package pack puts a set into one file and takes it out again: zip or tar, on a disk or in an S3-compatible bucket.
// Archives come from anywhere, so unpacking trusts nothing in them and leaves either a whole set or nothing.
package pack
