package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Check returns what is wrong with c as a whole: names given twice, references
// to nothing, roles that do not fit the mode, values out of range. Kinds of
// values are not its business, Set sees to them. Lines are those of the
// entities, File is empty.
func Check(c *Config) []*Error {
	k := checker{config: c, sslProfiles: map[string]bool{}, proxies: map[string]bool{}, listeners: map[string]*TCPListener{}}
	for i := range c.SSLProfiles {
		k.sslProfiles[c.SSLProfiles[i].Name] = true
	}
	for i := range c.ProxyProfiles {
		k.proxies[c.ProxyProfiles[i].Name] = true
	}
	for i := range c.TCPListeners {
		k.listeners[Name(&c.TCPListeners[i])] = &c.TCPListeners[i]
	}
	k.names()
	for _, e := range c.Entities() {
		k.entity(e)
	}
	return k.errors
}

// worseThan returns what is wrong with c and was not with old.
func (c *Config) worseThan(old *Config) error {
	known := map[string]bool{}
	for _, e := range Check(old) {
		known[e.Error()] = true
	}
	var all []error
	for _, e := range Check(c) {
		if !known[e.Error()] {
			all = append(all, e)
		}
	}
	return errors.Join(all...)
}

// checker holds what the checks of single entities need to know of the others.
type checker struct {
	config      *Config
	sslProfiles map[string]bool
	proxies     map[string]bool
	listeners   map[string]*TCPListener // by name
	errors      []*Error
}

func (k *checker) report(e Entity, attribute, format string, args ...any) *Error {
	x := &Error{Line: Line(e), Entity: e.Type().section() + " " + Name(e), Attribute: attribute, Reason: fmt.Sprintf(format, args...)}
	k.errors = append(k.errors, x)
	return x
}

// names finds names that are given twice.
func (k *checker) names() {
	first := map[key]Entity{}
	for _, e := range k.config.Entities() {
		id := keyOf(e)
		if other, again := first[id]; again {
			k.report(e, "name", "%s", taken(other)).as(validationError, "Name conflicts with an existing entity")
			continue
		}
		first[id] = e
	}
}

func taken(by Entity) string {
	if line := Line(by); line > 0 {
		return fmt.Sprintf("the name is taken by line %d", line)
	}
	return "the name is taken"
}

// entity checks e alone and against the others.
func (k *checker) entity(e Entity) {
	switch x := e.(type) {
	case *Router:
		k.router(x)
	case *SSLProfile:
		k.sslProfile(x)
	case *ProxyProfile:
		k.named(x, x.Name)
	case *Connector:
		k.connector(x)
	case *Listener:
		k.listener(x)
	case *Address:
		k.address(x)
	case *AutoLink:
		k.autoLink(x)
	case *TCPConnector:
		k.tcpConnector(x)
	case *TCPListener:
		k.tcpListener(x)
	case *ListenerAddress:
		k.listenerAddress(x)
	case *Log:
		k.log(x)
	case *Vhost:
		k.required(x, "hostname", x.Hostname)
	}
}

func (k *checker) router(r *Router) {
	for _, c := range r.ID {
		if unicode.In(c, unicode.C, unicode.Z) {
			k.report(r, "id", "character %q is not allowed", c).
				as(attributeError, "Router id attribute containing character '%c' in id '%s' is disallowed.", c, r.ID)
			break
		}
	}
	if i := strings.IndexAny(r.ID, "|$"); i >= 0 {
		k.report(r, "id", "character %q is not allowed", r.ID[i])
	}
	if n, err := strconv.Atoi(r.DataConnectionCount); r.DataConnectionCount != "auto" && (err != nil || n < 0) {
		k.report(r, "dataConnectionCount", "%q is neither auto nor a number of connections", r.DataConnectionCount)
	}
	for _, period := range []struct {
		name  string
		value int64
		least int64
	}{
		{"helloIntervalSeconds", r.HelloIntervalSeconds, 1},
		{"helloMaxAgeSeconds", r.HelloMaxAgeSeconds, 1},
		{"raIntervalSeconds", r.RAIntervalSeconds, 1},
		{"raIntervalFluxSeconds", r.RAIntervalFluxSeconds, 1},
		{"remoteLsMaxAgeSeconds", r.RemoteLSMaxAgeSeconds, 1},
		{"unreachableHoldoffSeconds", r.UnreachableHoldoffSeconds, 0},
	} {
		k.within(r, period.name, period.value, period.least, math.MaxInt32)
	}
}

func (k *checker) sslProfile(p *SSLProfile) {
	k.named(p, p.Name)
	if p.PrivateKeyFile != "" && p.CertFile == "" {
		k.report(p, "privateKeyFile", "there is no certFile for it")
	}
	switch {
	case p.Ordinal < 0 || p.OldestValidOrdinal < 0:
		k.report(p, "ordinal", "must not be negative").
			as(cError, "Configuration: Negative ordinal field values are invalid (sslProfile '%s')", p.Name)
	case p.Ordinal < p.OldestValidOrdinal:
		k.report(p, "oldestValidOrdinal", "%d is above the ordinal %d", p.OldestValidOrdinal, p.Ordinal).
			as(cError, "Configuration: ordinal must be >= oldestValidOrdinal (sslProfile '%s')", p.Name)
	}
}

func (k *checker) connector(c *Connector) {
	k.role(c, c.Role)
	k.cost(c, c.Cost)
	k.port(c, c.Port)
	k.profile(c, c.SSLProfile)
	if c.ProxyProfile != "" && !k.proxies[c.ProxyProfile] {
		k.report(c, "proxyProfile", "there is no %q", c.ProxyProfile)
	}
	k.limits(c, c.MaxFrameSize, c.MaxSessions, c.MaxSessionFrames, c.LinkCapacity, c.IdleTimeoutSeconds)
	k.openProperties(c, c.Role, c.OpenProperties)
}

func (k *checker) listener(l *Listener) {
	k.role(l, l.Role)
	if l.Role == RoleEdge && k.config.Router.Mode == ModeEdge {
		k.report(l, "role", "an edge router accepts no edge routers").as(schemaError, "role='edge' only allowed with router mode='interior'")
	}
	k.cost(l, l.Cost)
	k.port(l, l.Port)
	k.profile(l, l.SSLProfile)
	k.limits(l, l.MaxFrameSize, l.MaxSessions, l.MaxSessionFrames, l.LinkCapacity, l.IdleTimeoutSeconds)
	k.within(l, "initialHandshakeTimeoutSeconds", l.InitialHandshakeTimeoutSeconds, 0, math.MaxInt32)
	k.openProperties(l, l.Role, l.OpenProperties)
}

// role checks the role of a listener or connector against the router's mode.
func (k *checker) role(e Entity, role string) {
	switch mode := k.config.Router.Mode; {
	case mode == ModeStandalone && (role == RoleInterRouter || role == RoleEdge):
		k.report(e, "role", "a standalone router has no %s connections", role).
			as(schemaError, "role='standalone' not allowed to connect to or accept connections from other routers.")
	case mode != ModeInterior && role == RoleInterRouter:
		k.report(e, "role", "only an interior router has inter-router connections").
			as(schemaError, "role='inter-router' only allowed with router mode='interior'")
	case mode != ModeEdge && role == RoleInterEdge:
		k.report(e, "role", "only an edge router has inter-edge connections")
	}
}

// cost checks a cost. compat: upstream's controllers write 0 for 1.
func (k *checker) cost(e Entity, cost int64) {
	if cost < 0 || cost > math.MaxInt32 {
		k.report(e, "cost", "%d is not in 1–%d", cost, math.MaxInt32).
			as(cError, "Configuration: Invalid cost (%d) specified. Minimum value for cost is 1 and maximum value is %d", cost, math.MaxInt32)
	}
}

// limits checks what listeners and connectors have in common. 0 means the
// default of each.
func (k *checker) limits(e Entity, frame, sessions, frames, capacity, idle int64) {
	for _, l := range []struct {
		name               string
		value, least, most int64
	}{
		{"maxFrameSize", frame, 512, math.MaxInt32}, // AMQP 1.0 §2.4.1
		{"maxSessions", sessions, 1, 32768},
		{"maxSessionFrames", frames, 2, math.MaxInt32},
	} {
		if l.value != 0 && (l.value < l.least || l.value > l.most) {
			k.report(e, l.name, "%d is not in %d–%d", l.value, l.least, l.most).
				as(cError, "Configuration: Invalid %s specified (%d). Minimum value is %d and maximum value is %d", l.name, l.value, l.least, l.most)
		}
	}
	k.within(e, "linkCapacity", capacity, 0, math.MaxInt32)
	k.within(e, "idleTimeoutSeconds", idle, 0, math.MaxInt32)
}

// openProperties checks the properties that an Open may not carry.
func (k *checker) openProperties(e Entity, role string, properties map[string]any) {
	if len(properties) == 0 {
		return
	}
	reserved := []string{"product", "version", "failover-server-list", "network-host", "port", "scheme", "hostname"}
	for _, key := range sortedKeys(properties) {
		if slices.Contains(reserved, key) || strings.HasPrefix(key, "qd.") || strings.HasPrefix(key, "x-opt-qd.") {
			k.report(e, "openProperties", "key %q is reserved", key).
				as(validationError, "Reserved key '%s' not allowed in openProperties", key)
		}
	}
	if role == RoleInterRouter || role == RoleEdge {
		k.report(e, "openProperties", "not for role %s", role).as(validationError, "openProperties not allowed for role %s", role)
	}
}

func (k *checker) address(a *Address) {
	switch {
	case a.Prefix != "" && a.Pattern != "":
		k.report(a, "", "either prefix or pattern, not both")
	case a.Prefix == "" && a.Pattern == "":
		k.report(a, "", "neither prefix nor pattern")
	}
	k.within(a, "priority", a.Priority, -1, 9)
}

func (k *checker) autoLink(a *AutoLink) {
	if a.ContainerID != "" && a.Connection != "" {
		k.report(a, "", "either connection or containerId, not both").
			as(cError, "Both connection and containerId cannot be specified. Specify only one")
	}
}

func (k *checker) tcpConnector(c *TCPConnector) {
	if c.Address == "" {
		k.report(c, "address", "missing").as(cError, "Configuration: Address must be set")
	}
	k.required(c, "port", c.Port)
	k.port(c, c.Port)
	k.profile(c, c.SSLProfile)
}

func (k *checker) tcpListener(l *TCPListener) {
	k.required(l, "port", l.Port)
	k.port(l, l.Port)
	k.profile(l, l.SSLProfile)
	const one = "Configuration: Exactly one of the 'address' or 'multiAddressStrategy' field must be set"
	switch single := l.MultiAddressStrategy == StrategyNone; {
	case single && l.Address == "":
		k.report(l, "address", "missing").as(cError, one)
	case !single && l.Address != "":
		k.report(l, "address", "not with multiAddressStrategy %s: listenerAddress entities hold the addresses", l.MultiAddressStrategy).as(cError, one)
	}
}

func (k *checker) listenerAddress(a *ListenerAddress) {
	k.required(a, "address", a.Address)
	switch l := k.listeners[a.Listener]; {
	case l == nil:
		k.report(a, "listener", "there is no tcpListener %q", a.Listener)
	case l.MultiAddressStrategy == StrategyNone:
		k.report(a, "listener", "tcpListener %q has no multiAddressStrategy", a.Listener)
	}
}

func (k *checker) log(l *Log) {
	if l.Enable == "" {
		return
	}
	levels := []string{"debug", "info", "warning", "error", "critical", "default", "none", "notice"}
	for level := range strings.SplitSeq(l.Enable, ",") {
		level = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(level), "+"))
		if !slices.Contains(levels, level) {
			k.report(l, "enable", "%s is not a level: debug, info, warning, error, critical, none or default", show(level))
		}
	}
}

// profile checks a reference to an sslProfile.
func (k *checker) profile(e Entity, name string) {
	if name != "" && !k.sslProfiles[name] {
		k.report(e, "sslProfile", "there is no %q", name).as(cError, "Configuration: sslProfile '%s' not found", name)
	}
}

// port checks a decimal port; another text is the name of a service.
func (k *checker) port(e Entity, port string) {
	if n, err := strconv.ParseInt(port, 10, 64); err == nil && (n < 0 || n > math.MaxUint16) {
		k.report(e, "port", "%s is not in 0–65535", port)
	}
}

func (k *checker) named(e Entity, name string) { k.required(e, "name", name) }

func (k *checker) required(e Entity, attribute, value string) {
	if value == "" {
		k.report(e, attribute, "missing")
	}
}

func (k *checker) within(e Entity, attribute string, value, least, most int64) {
	if value < least || value > most {
		k.report(e, attribute, "%d is not in %d–%d", value, least, most)
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
