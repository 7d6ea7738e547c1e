package config

import "strings"

// Identity returns what names e among all entities of a router:
// "<type>/<rest>". compat: the rest is made as upstream makes it.
func Identity(e Entity) string {
	return e.Type().section() + "/" + e.identifier()
}

// Name returns the name of e, its identity if it has none.
func Name(e Entity) string {
	b, v := of(e)
	if name := v.Field(b.fields[b.byName["name"]].index).String(); name != "" {
		return name
	}
	return Identity(e)
}

// hostPort is the identifier of what has an address and a port.
func hostPort(host, port, name string) string {
	id := host + ":" + port
	if name != "" {
		id += ":" + name
	}
	return id
}

// Type returns the type router.
func (*Router) Type() *Type { return schema.byName["router"] }

func (r *Router) identifier() string { return r.ID }

// Type returns the type network.
func (*Network) Type() *Type { return schema.byName["network"] }

func (*Network) identifier() string { return "0" }

// Type returns the type policy.
func (*Policy) Type() *Type { return schema.byName["policy"] }

func (*Policy) identifier() string { return "None" } // compat: Python's text for nothing

// Type returns the type site.
func (*Site) Type() *Type { return schema.byName["site"] }

func (s *Site) identifier() string { return s.Name }

// Type returns the type sslProfile.
func (*SSLProfile) Type() *Type { return schema.byName["sslProfile"] }

func (p *SSLProfile) identifier() string { return p.Name }

// Type returns the type proxyProfile.
func (*ProxyProfile) Type() *Type { return schema.byName["proxyProfile"] }

func (p *ProxyProfile) identifier() string { return p.Name }

// Type returns the type connector.
func (*Connector) Type() *Type { return schema.byName["connector"] }

func (c *Connector) identifier() string { return hostPort(c.Host, c.Port, c.Name) }

// Type returns the type listener.
func (*Listener) Type() *Type { return schema.byName["listener"] }

func (l *Listener) identifier() string { return hostPort(l.Host, l.Port, l.Name) }

// Type returns the type router.config.address.
func (*Address) Type() *Type { return schema.byName["router.config.address"] }

func (a *Address) identifier() string { return firstOf(a.Name, a.Prefix+a.Pattern) }

// Type returns the type router.config.autoLink.
func (*AutoLink) Type() *Type { return schema.byName["router.config.autoLink"] }

func (a *AutoLink) identifier() string {
	return firstOf(a.Name, strings.Join([]string{a.Direction, a.Address, a.ContainerID + a.Connection}, ":"))
}

// Type returns the type tcpConnector.
func (*TCPConnector) Type() *Type { return schema.byName["tcpConnector"] }

func (c *TCPConnector) identifier() string { return hostPort(c.Host, c.Port, c.Name) }

// Type returns the type tcpListener.
func (*TCPListener) Type() *Type { return schema.byName["tcpListener"] }

func (l *TCPListener) identifier() string { return hostPort(l.Host, l.Port, l.Name) }

// Type returns the type listenerAddress.
func (*ListenerAddress) Type() *Type { return schema.byName["listenerAddress"] }

func (a *ListenerAddress) identifier() string { return hostPort(a.Listener, a.Address, a.Name) }

// Type returns the type log.
func (*Log) Type() *Type { return schema.byName["log"] }

func (l *Log) identifier() string { return l.Module }

// Type returns the type vhost.
func (*Vhost) Type() *Type { return schema.byName["vhost"] }

func (v *Vhost) identifier() string { return v.Hostname }

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
