// Package access decides who may see what the network observer shows.
//
//	request → Gate.Wrap → login page | refused | next handler
//
// Without a login (Gate without Users) whoever reaches the listener sees
// everything; that is meant for loopback. A web page of another origin must
// not: a request has to name a host of this machine, so that no name of
// somebody else's leads here, and answers are not for other origins.
//
// With a login, a session cookie or HTTP basic authentication opens
// everything; nothing is open without but the login page and the paths that
// Options.Open names. Users come from one file in the form of htpasswd, bcrypt
// or {PLAIN}, which is read again when it changes.
//
// Guessing is slow: every address has a few attempts, checking a password is
// done for few at a time, and takes as long for a user who does not exist.
//
// # Concurrency
//
// A Gate is used by any number of requests at once. It starts no goroutine;
// what has run out is removed when something is added.
package access
