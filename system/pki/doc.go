// Package pki makes, reads and judges the certificates of a site: authorities,
// server and client certificates, and when one has to be made anew.
//
//	Want + Authority → Issue → Pair (the files of a credential)
//	Want + key of another + Authority → IssueFor → Pair without a key
//	Want + Authority + Pair + now → Decide → keep, or why not
//
// What it makes is in upstream's shape, so that upstream's routers and tools
// accept it: the common name is the whole subject, a host that is an IP address
// is named twice, as IP and as DNS name (skupper-router compares host names with
// DNS names only), and both extended key usages are on everything.
//
// What it reads is any usual key: RSA, EC and Ed25519, in PKCS #1, SEC 1 or
// PKCS #8, with or without other blocks around it.
//
// The time is an argument, and so is randomness, for serial numbers. Keys and
// signatures draw from the system's source whatever is passed, as the standard
// library has it. Nothing is read or written; values are safe for concurrent
// use.
//
// Caveats: authorities are never made anew by themselves, not even when they
// near their end: every link of the site would break.
package pki
