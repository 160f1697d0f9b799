// Package collect gathers a set of pictures from the web: it asks search services for each class, downloads politely,
// keeps what is a picture and not yet in the set, and writes down where each one came from.
//
// The order of things: source finds candidates, fetch downloads them, picture reads and compares them, set keeps them. Packages clean
// and pack work on the set afterwards.
package collect
