package render

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

func routerMode(s *site.Site) string {
	if s.Edge {
		return config.ModeEdge
	}
	return config.ModeInterior
}

// router adds the router's configuration.
func (r *renderer) router() {
	c := config.New()
	r.identity(c)
	r.profiles(c)
	r.links(c)
	r.accesses(c)
	r.bridges(c)
	r.logging(c)
	// compat: the prefix that upstream's controllers configure on every site.
	a := config.NewAddress()
	a.Prefix, a.Distribution = "mc", config.DistributionMulticast
	c.Addresses = append(c.Addresses, a)
	r.file(r.in.Paths.RouterConfig(), state.File{
		Data: cmp.Or(r.in.Writer, new(config.Writer)).Encode(c), Mode: 0o600, Owner: r.routerOwner(), Subject: state.SubjectConfig, Entities: true,
	})
}

func (r *renderer) identity(c *config.Config) {
	m := r.in.Memory
	c.Router.ID, c.Router.Mode, c.Router.HelloMaxAgeSeconds = m.RouterID, routerMode(r.in.Site), 3
	if n := r.in.Site.Settings.DataConnections; n > 0 {
		c.Router.DataConnectionCount = strconv.Itoa(n)
	}
	c.Router.DrainSeconds = int64(r.in.Site.Settings.Drain / time.Second)
	metadata, err := json.Marshal(struct {
		ID       string `json:"id"`
		Version  string `json:"version"`
		Platform string `json:"platform"`
		Name     string `json:"name"` // ours; others take the name from that of the router
	}{m.SiteID, r.in.Machine.Version, r.in.Machine.Platform, r.in.Site.Name})
	if err != nil {
		panic("render: metadata: " + err.Error()) // four strings
	}
	c.Router.Metadata = string(metadata)
	s := config.NewSite()
	s.Name, s.Namespace, s.Platform, s.Version = m.RouterID, r.in.Site.Namespace, r.in.Machine.Platform, r.in.Machine.Version
	c.Site = &s
}

// profiles names the credentials that something uses.
func (r *renderer) profiles(c *config.Config) {
	used := usedProfiles(r.in.Site)
	for _, cred := range r.in.Site.Credentials {
		key := keyOf(cred)
		if key.Authority || !used[cred.Name] {
			continue
		}
		pair, dir := r.out.Credentials[key], r.inside(r.dir(key))
		p := config.NewSSLProfile()
		p.Name = cred.Name
		if len(pair.CA) > 0 {
			p.CACertFile = filepath.Join(dir, pki.CAFile)
		}
		if len(pair.Cert) > 0 {
			p.CertFile, p.PrivateKeyFile = filepath.Join(dir, pki.CertFile), filepath.Join(dir, pki.KeyFile)
		}
		issue := r.in.Memory.Credentials[issueKey(key)]
		p.Ordinal, p.OldestValidOrdinal = issue.Ordinal, issue.Oldest
		c.SSLProfiles = append(c.SSLProfiles, p)
	}
	for _, proxy := range r.in.Site.Proxies {
		p := config.NewProxyProfile()
		def := r.proxy(proxy)
		p.Name, p.Host, p.Port, p.Username = proxy.Name, def.Host, def.Port, def.Username
		if def.Password != "" {
			p.Password = "file:" + r.inside(r.passwordFile(proxy.Name))
		}
		c.ProxyProfiles = append(c.ProxyProfiles, p)
	}
}

// usedProfiles are the credentials that the router itself needs. The client
// certificates for others are not among them.
func usedProfiles(s *site.Site) map[string]bool {
	used := make(map[string]bool)
	for _, l := range s.Listeners {
		used[l.Profile] = true
	}
	for _, l := range s.MultiKeyListeners {
		used[l.Profile] = true
	}
	for _, c := range s.Connectors {
		used[c.Profile] = true
	}
	for _, a := range s.Accesses {
		used[a.Profile] = true
	}
	for _, l := range s.Links {
		used[l.Profile] = true
	}
	delete(used, "")
	return used
}

func (r *renderer) links(c *config.Config) {
	for _, l := range r.in.Site.Links {
		x := config.NewConnector()
		x.Name, x.Role, x.Host, x.Port = l.Name, l.Role, l.Host, portText(l.Port)
		x.Cost, x.SSLProfile, x.ProxyProfile = int64(l.Cost), l.Profile, l.Proxy
		c.Connectors = append(c.Connectors, x)
	}
}

func (r *renderer) accesses(c *config.Config) {
	for _, a := range r.in.Site.Accesses {
		for _, role := range a.Roles {
			x := config.NewListener()
			x.Name, x.Role, x.Host, x.Port = a.Name+"-"+role.Name, role.Name, a.BindHost, portText(role.Port)
			x.SSLProfile, x.SASLMechanisms, x.AuthenticatePeer = a.Profile, "EXTERNAL", true
			c.Listeners = append(c.Listeners, x)
		}
	}
}

func (r *renderer) bridges(c *config.Config) {
	s := r.in.Site
	for _, l := range s.Listeners {
		x := config.NewTCPListener()
		x.Name, x.Host, x.Port, x.Address, x.SSLProfile = "listener/"+l.Name, l.Host, portText(l.Port), l.RoutingKey, l.Profile
		if l.Observer != "" {
			x.Observer = l.Observer
		}
		c.TCPListeners = append(c.TCPListeners, x)
	}
	for _, l := range s.MultiKeyListeners {
		x := config.NewTCPListener()
		x.Name, x.Host, x.Port, x.SSLProfile = "multiAddress/"+l.Name, l.Host, portText(l.Port), l.Profile
		x.MultiAddressStrategy, x.AuthenticatePeer = string(l.Strategy), l.RequireClientCert
		if l.Observer != "" {
			x.Observer = l.Observer
		}
		c.TCPListeners = append(c.TCPListeners, x)
		for _, k := range l.Keys {
			a := config.NewListenerAddress()
			a.Name, a.Address, a.Value, a.Listener = l.Name+"/"+k.RoutingKey, k.RoutingKey, int64(k.Value), x.Name
			c.ListenerAddresses = append(c.ListenerAddresses, a)
		}
	}
	for _, k := range s.Connectors {
		x := config.NewTCPConnector()
		x.Name, x.Host, x.Port, x.Address = "connector/"+k.Name+"@"+k.Host, k.Host, portText(k.Port), k.RoutingKey
		x.SSLProfile = k.Profile
		if k.Profile != "" {
			x.VerifyHostname = k.VerifyHostname
		}
		c.TCPConnectors = append(c.TCPConnectors, x)
	}
}

// logging sets the levels of the router's modules; the last word on a module
// counts.
//
// compat: without a setting, upstream asks for the errors of ROUTER_CORE.
func (r *renderer) logging(c *config.Config) {
	levels := r.in.Site.Settings.Logging
	if len(levels) == 0 {
		levels = []site.LogLevel{{Module: "ROUTER_CORE", Enable: "error+"}}
	}
	for i, l := range levels {
		if slices.ContainsFunc(levels[i+1:], func(o site.LogLevel) bool { return o.Module == l.Module }) {
			continue
		}
		x := config.NewLog()
		x.Module, x.Enable = l.Module, l.Enable
		c.Logs = append(c.Logs, x)
	}
}
