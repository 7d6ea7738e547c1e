// Package token is how one site gets a link from another by a token: the
// client that redeems one, and the server that grants are redeemed at.
//
//	AccessToken → Redeem ─ HTTPS POST, TLS 1.3 ─ Handler → Grantor → Secret, Links
//
// The protocol is upstream's (compat:), so that each side's tokens are redeemed
// at the other. A token is worth a link: it holds the address to ask, the
// secret that is asked for, and the only authority that is trusted.
//
// Handler decides nothing about a grant but how often it may be guessed at; the
// Grantor does, which knows the grants and counts redemptions where they
// survive a crash.
//
// Caveats: the code of a token is a secret. It is compared in constant time,
// and never logged or part of an error.
package token
