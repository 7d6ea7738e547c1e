package site

import "net/netip"

// Context is what Build must know about the host and about the past. The zero
// value is a host about which nothing is known; Build then assumes no limits
// and no user credentials.
type Context struct {
	// Namespace is the one that the resources belong to; empty means that the
	// resources say, or else "default".
	Namespace string
	// AnyNamespace has Namespace replace the one that resources name, as apply
	// and bundles do. Otherwise a different one is an error.
	AnyNamespace bool

	// SiteID is the id that the site had before; empty for a new site.
	// metadata.uid of the Site wins over it.
	SiteID string
	// Ports are the ports allocated earlier, as in Site.Ports.
	Ports map[string]int
	// Strategies are the strategies of running MultiKeyListeners, by name.
	Strategies map[string]Strategy

	// Claimed are sockets that other namespaces of this host want: using one of
	// them, too, is an error.
	Claimed []Socket
	// Busy reports whether a port is in use now: none of those is allocated, but
	// a resource may ask for one. It is called only where a port has to be
	// allocated; nil means none.
	Busy func(port int) bool
	// FirstPort is the lowest port that the router may bind
	// (net.ipv4.ip_unprivileged_port_start); 0 means any.
	FirstPort int

	// Hostname and FQDN are the names of the host, empty if unknown. They and
	// the addresses of Interfaces become the names in server certificates.
	Hostname   string
	FQDN       string
	Interfaces []Interface
	// ExtraHosts are the hosts that links were asked for and that are not found
	// otherwise, by RouterAccess.
	ExtraHosts map[string][]string

	// Certs, Issuers and Proxies are the directories under input/ with the
	// files in each.
	Certs   map[string][]string
	Issuers map[string][]string
	Proxies map[string][]string

	// Tolerant has problems that concern a single Link become Faults. It is
	// set for files that were dropped into the input of a site; for what a
	// person applies such problems are errors.
	Tolerant bool
}

// Socket is an address that is taken, and by whom.
type Socket struct {
	Host  string
	Port  int
	Owner string // "listener/db in namespace east"
}

// Interface is a network interface of the host.
type Interface struct {
	Name  string
	Addrs []netip.Addr
}
