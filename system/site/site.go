package site

import (
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// Names of what every site has.
const (
	LocalAccess = "skupper-local"        // RouterAccess for the agent and for tools
	LocalServer = "skupper-local-server" // its server credential
	LocalClient = "skupper-local-client" // and the client's
	LocalCA     = "skupper-local-ca"
	SiteCA      = "skupper-site-ca"    // signs what links use
	ServiceCA   = "skupper-service-ca" // signs what listeners and connectors use
)

// Site is a valid site. Lists are sorted by name unless said otherwise.
type Site struct {
	Name      string
	Namespace string
	ID        string // empty until one is given out
	Edge      bool   // router mode edge instead of interior
	Settings  Settings

	Listeners         []Listener
	MultiKeyListeners []MultiKeyListener
	Connectors        []Connector
	Accesses          []Access // skupper-local included
	Links             []Link
	Grants            []Grant
	Tokens            []Token
	Proxies           []Proxy
	Credentials       []Credential // authorities first, each after its issuer

	// Ports are the allocated ports, to be kept and given to the next Build as
	// Context.Ports.
	Ports map[string]int

	// Objects are the resources in effect: those of the input, and the
	// RouterAccesses and Certificates that the site adds.
	Objects *resource.Set

	// Faults are objects that are left out of the lists above, and why.
	Faults []Fault
}

// Fault says why an object has no effect. It belongs into the object's status.
type Fault struct {
	Object resource.Ref
	Err    *resource.FieldError
}

// Settings are the options of a site, with their defaults.
type Settings struct {
	Logging           []LogLevel    // in the order given; empty: the router's default
	DataConnections   int           // per link; 0: the router decides
	PriorTLSRevisions int           // revisions of a certificate that stay valid; default 1
	CertValidity      time.Duration // of leaf certificates that stay on the host
	ClientValidity    time.Duration // of client certificates handed out to other sites
	LinkRenewal       bool          // whether those can be renewed by whoever holds them
	CAValidity        time.Duration // of certificate authorities
	KeyType           KeyType       // of new keys
	GrantURL          string        // host:port in the URLs of grants; empty: the agent decides
	Drain             time.Duration // how long connections of a deleted bridge may go on
}

// LogLevel sets what one of the router's modules logs.
type LogLevel struct {
	Module string // "DEFAULT" for all others
	Enable string // level with "+": it and everything above
}

// KeyType is how new keys are made.
type KeyType string

// The key types.
const (
	ECDSAP256 KeyType = "ecdsa-p256"
	RSA2048   KeyType = "rsa2048"
)

// Listener accepts connections for a routing key.
type Listener struct {
	Name       string
	RoutingKey string
	Host       string
	Port       int
	Observer   string // empty: the router's default
	Profile    string // credential to terminate TLS with; empty: no TLS
}

// MultiKeyListener accepts connections for one of several routing keys.
type MultiKeyListener struct {
	Name              string
	Host              string
	Port              int
	Observer          string
	Profile           string
	RequireClientCert bool
	Strategy          Strategy
	Keys              []WeightedKey // the best first; weighted: by name
}

// Strategy is how a routing key is chosen.
type Strategy string

// The strategies, in the router's words.
const (
	Priority Strategy = "priority"
	Weighted Strategy = "weighted"
)

// WeightedKey is a routing key of a MultiKeyListener with the value that the
// router compares.
type WeightedKey struct {
	RoutingKey string
	Value      int
}

// Connector opens connections for a routing key.
type Connector struct {
	Name           string
	RoutingKey     string
	Host           string
	Port           int
	Profile        string // credential to originate TLS with; empty: no TLS
	VerifyHostname bool   // meaningful with Profile only
}

// Access is a RouterAccess: where other routers, or local tools, connect.
type Access struct {
	Name       string
	Roles      []Role // as given
	BindHost   string // empty: all addresses
	Profile    string // server credential
	ClientName string // client credential for those who connect
	Issuer     string // of both
	Made       bool   // by the site, not by the input

	// Hosts are where others can reach it: the server certificate names them,
	// and a link file is made for each.
	Hosts []string
	// Decides names the field or credential that fixes Hosts. Where it is empty
	// the site does, and more may be added through Context.ExtraHosts.
	Decides string
}

// Role is one port of an Access.
type Role struct {
	Name string // inter-router, edge, normal
	Port int
}

// The roles.
const (
	InterRouter = "inter-router"
	EdgeRole    = "edge"
	Normal      = "normal"
)

// Link connects to another site.
type Link struct {
	Name    string
	Role    string // inter-router or edge
	Host    string
	Port    int
	Cost    int    // at least 1
	Profile string // <tlsCredentials>-profile
	Proxy   string // name of a proxy; empty: direct
}

// Grant is permission for other sites to get a link.
type Grant struct {
	Name        string
	Redemptions int
	Window      time.Duration
	Code        string // empty: one is generated
	Issuer      string
}

// Token is to be exchanged for a link.
type Token struct {
	Name string
	URL  string
	Code string
	CA   string // PEM
	Cost int    // of the link; at least 1

	Proxy string // name of a proxy to redeem it through; empty: direct
}

// Proxy is an HTTP proxy for links and tokens. Its material has host and port,
// and maybe username and password.
type Proxy struct {
	Name   string
	Origin Origin           // Directory (input/proxies/<Name>) or Secret
	Secret *resource.Secret // for Origin Secret
}
