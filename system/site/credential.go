package site

import "github.com/skupper-host/skupper/system/resource"

// Use is what a credential is for.
type Use int

// The uses.
const (
	CA     Use = iota // signs others; lives among the issuers
	Server            // proves a server's name; may verify clients
	Client            // proves a client
	Trust             // ca.crt only: verifies a server, proves nothing
)

// Origin is where the material of a credential comes from. A person's own
// directory goes before a Secret, and a Secret before what the site makes
// itself.
type Origin int

// The origins.
const (
	Generated Origin = iota // made and renewed by the site
	Directory               // input/certs/<Source> or input/issuers/<Source>
	Secret                  // the Secret of the input
)

// Credential is what one directory under runtime/certs or runtime/issuers must
// hold: the TLS profile of the same name reads it.
type Credential struct {
	Name   string // of the directory, and of the TLS profile
	Use    Use
	Origin Origin

	// Source is the name of the input directory for Origin Directory, and of
	// the Secret for Origin Secret. It differs from Name for profiles of links
	// and of connectors without a client certificate.
	Source string
	Secret *resource.Secret // for Origin Secret

	// The following say what to make for Origin Generated. A generated Trust
	// is a copy of the issuer's certificate.
	Issuer  string   // name of a CA of this site; empty for a CA: self-signed
	Subject string   // common name
	Hosts   []string // subject alternative names; each IP is one as name, too

	// Connect says that the directory also holds connect.json.
	Connect bool
	// Handed says that the key pair travels to other sites in links: one per
	// link, with a long life, since its holder may be unable to renew it.
	Handed bool
}
