package config

import "slices"

// Entities returns every entity of c: pointers into c, in the groups and in
// the order in which Encode writes them, each group in the order of c.
func (c *Config) Entities() []Entity {
	out := []Entity{&c.Router}
	out = pointers(out, c.SSLProfiles)
	out = pointers(out, c.ProxyProfiles)
	out = pointers(out, c.Connectors)
	out = pointers(out, c.Listeners)
	out = pointers(out, c.Addresses)
	out = pointers(out, c.AutoLinks)
	out = pointers(out, c.TCPConnectors)
	out = pointers(out, c.TCPListeners)
	out = pointers(out, c.ListenerAddresses)
	out = pointers(out, c.Logs)
	out = append(out, &c.Network, &c.Policy)
	out = pointers(out, c.Vhosts)
	if c.Site != nil {
		out = append(out, c.Site)
	}
	return out
}

// pointers appends a pointer to each element of list. P is *T.
func pointers[T any, P interface {
	*T
	Entity
}](out []Entity, list []T,
) []Entity {
	for i := range list {
		out = append(out, P(&list[i]))
	}
	return out
}

// Clone returns a copy of c that can be changed without changing c.
func (c *Config) Clone() *Config {
	d := *c
	if c.Site != nil {
		site := *c.Site
		d.Site = &site
	}
	d.SSLProfiles = slices.Clone(c.SSLProfiles)
	d.ProxyProfiles = slices.Clone(c.ProxyProfiles)
	d.Connectors = slices.Clone(c.Connectors)
	d.Listeners = slices.Clone(c.Listeners)
	d.Addresses = slices.Clone(c.Addresses)
	d.AutoLinks = slices.Clone(c.AutoLinks)
	d.TCPConnectors = slices.Clone(c.TCPConnectors)
	d.TCPListeners = slices.Clone(c.TCPListeners)
	d.ListenerAddresses = slices.Clone(c.ListenerAddresses)
	d.Logs = slices.Clone(c.Logs)
	d.Vhosts = slices.Clone(c.Vhosts)
	return &d
}

// Put returns a copy of c with a copy of e in it, instead of the entity of the
// same type and name if there is one. The error joins one *Error for each thing
// that is wrong with the copy and was not with c.
func (c *Config) Put(e Entity) (*Config, error) {
	d := c.Clone()
	e = Clone(e)
	complete(e)
	d.remove(e)
	d.add(e)
	return d, d.worseThan(c)
}

// Remove returns a copy of c without the entity of that type and name. The
// error is as of Put: an entity that others refer to cannot go.
func (c *Config) Remove(t *Type, name string) (*Config, error) {
	d := c.Clone()
	if e := d.Find(t, name); e != nil {
		d.remove(e)
	}
	if t == (&SSLProfile{}).Type() {
		return d, nil // compat: what uses the profile goes on with what it has of it
	}
	return d, d.worseThan(c)
}

// Find returns the entity of that type and name, nil if there is none.
func (c *Config) Find(t *Type, name string) Entity {
	for _, e := range c.Entities() {
		if e.Type() == t && Name(e) == name {
			return e
		}
	}
	return nil
}

// Log returns what is configured for a module, with the defaults of DEFAULT for
// that one; a Log of nothing but the module if there is nothing.
func (c *Config) Log(module string) Log {
	for i := range c.Logs {
		if c.Logs[i].Module == module {
			return c.Logs[i]
		}
	}
	l := NewLog()
	l.Module = module
	complete(&l)
	return l
}

// add puts a copy of e at the end of its list, or in its place if there can
// be only one.
func (c *Config) add(e Entity) {
	switch x := e.(type) {
	case *Router:
		c.Router = *x
	case *Network:
		c.Network = *x
	case *Policy:
		c.Policy = *x
	case *Site:
		site := *x
		c.Site = &site
	case *SSLProfile:
		c.SSLProfiles = append(c.SSLProfiles, *x)
	case *ProxyProfile:
		c.ProxyProfiles = append(c.ProxyProfiles, *x)
	case *Connector:
		c.Connectors = append(c.Connectors, *x)
	case *Listener:
		c.Listeners = append(c.Listeners, *x)
	case *Address:
		c.Addresses = append(c.Addresses, *x)
	case *AutoLink:
		c.AutoLinks = append(c.AutoLinks, *x)
	case *TCPConnector:
		c.TCPConnectors = append(c.TCPConnectors, *x)
	case *TCPListener:
		c.TCPListeners = append(c.TCPListeners, *x)
	case *ListenerAddress:
		c.ListenerAddresses = append(c.ListenerAddresses, *x)
	case *Log:
		c.Logs = append(c.Logs, *x)
	case *Vhost:
		c.Vhosts = append(c.Vhosts, *x)
	}
}

// remove takes out the entity with the type and the name of e.
func (c *Config) remove(e Entity) {
	name := Name(e)
	switch e.(type) {
	case *Site:
		c.Site = nil
	case *SSLProfile:
		c.SSLProfiles = without(c.SSLProfiles, name)
	case *ProxyProfile:
		c.ProxyProfiles = without(c.ProxyProfiles, name)
	case *Connector:
		c.Connectors = without(c.Connectors, name)
	case *Listener:
		c.Listeners = without(c.Listeners, name)
	case *Address:
		c.Addresses = without(c.Addresses, name)
	case *AutoLink:
		c.AutoLinks = without(c.AutoLinks, name)
	case *TCPConnector:
		c.TCPConnectors = without(c.TCPConnectors, name)
	case *TCPListener:
		c.TCPListeners = without(c.TCPListeners, name)
	case *ListenerAddress:
		c.ListenerAddresses = without(c.ListenerAddresses, name)
	case *Log:
		c.Logs = without(c.Logs, name)
	case *Vhost:
		c.Vhosts = without(c.Vhosts, name)
	}
}

// without deletes the element of that name. The list is the copy's own.
func without[T any, P interface {
	*T
	Entity
}](list []T, name string,
) []T {
	return slices.DeleteFunc(list, func(x T) bool { return Name(P(&x)) == name })
}
