// Package token is how one site gets a link from another by a token, and has the
// certificate of that link renewed later: the client that does both, and the
// server where it does.
//
//	AccessToken → Redeem ─ HTTPS POST, TLS 1.3 ─ Handler → Guard → Grantor → Secret, Links
//	Secret → Renew ─ the same, client certificate ─ RenewHandler → RenewGuard → Renewer → Secret
//
// The protocol of tokens is upstream's (compat:), so that each side's tokens are
// redeemed at the other. A token is worth a link: it holds the address to ask, the
// secret that is asked for, and the only authority that is trusted.
//
// Renewal is our own. Two annotations of the Secret say where; whoever does not
// know them leaves them alone, and has a link that ends with its certificate.
// Whoever renews shows the certificate that he has and sends a PKCS #10 request for
// another key, signed with the old one. What he gets is a certificate and nothing
// else: whom his link trusts, and where it is renewed, stay as they were.
//
// Handler and RenewHandler face the network: they make a Claim or a Renewal of a
// request, and decide nothing. The guards decide how often somebody may fail; the
// Grantor and the Renewer behind them everything else: they know what was granted
// and handed out, and count it where it survives a crash. Handlers and guards may
// be in two processes, with package pipe between them: so a Renewal proves itself,
// whoever passes it on.
//
// Caveats: the code of a token is a secret. It is compared in constant time,
// and never logged or part of an error.
package token
