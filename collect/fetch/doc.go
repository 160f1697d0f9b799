// Package fetch is a polite and careful HTTP client for other people's servers: it says who it is, asks one host for
// few things at once, waits as long as it is told to, keeps out of private networks, and reads no more than it has room for.
package fetch
