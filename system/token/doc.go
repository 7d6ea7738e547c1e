// Package token is how one site gets a link from another by a token: the
// client that redeems one, and the server that grants are redeemed at.
//
//	AccessToken → Redeem ─ HTTPS POST, TLS 1.3 ─ Handler → Guard → Grantor → Secret, Links
//
// The protocol is upstream's (compat:), so that each side's tokens are redeemed
// at the other. A token is worth a link: it holds the address to ask, the
// secret that is asked for, and the only authority that is trusted.
//
// Handler faces the network: it makes a Claim of a request, and decides nothing.
// Guard decides how often somebody may guess; the Grantor behind it everything
// else: it knows the grants and counts redemptions where they survive a crash.
// Handler and Guard may be in two processes, with package pipe between them.
//
// Caveats: the code of a token is a secret. It is compared in constant time,
// and never logged or part of an error.
package token
