package site

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/skupper-host/skupper/system/resource"
)

// bridges takes over listeners and connectors: what joins TCP to the network.
func (b *builder) bridges() {
	for _, o := range resource.Of[*resource.Listener](b.set) {
		b.listener(o)
	}
	for _, o := range resource.Of[*resource.MultiKeyListener](b.set) {
		b.multiKeyListener(o)
	}
	for _, o := range resource.Of[*resource.Connector](b.set) {
		b.connector(o)
	}
}

func (b *builder) listener(o *resource.Listener) {
	b.claim(o, "spec.port", o.Spec.Host, o.Spec.Port, ownerName(o))
	b.site.Listeners = append(b.site.Listeners, Listener{
		Name:       o.Name,
		RoutingKey: o.Spec.RoutingKey,
		Host:       o.Spec.Host,
		Port:       o.Spec.Port,
		Observer:   observer(o.Spec.Observer, o.Spec.Settings),
		Profile:    b.serverProfile(o, o.Spec.TLSCredentials, o.Spec.Host, false),
	})
}

// observer is the field, or the setting that the reference shows instead.
func observer(field string, s resource.Settings) string {
	setting, _ := s.Get(resource.SettingObserver)
	return cmp.Or(field, setting)
}

// serverProfile asks for the credential with which a listener terminates TLS.
// A wildcard address names nobody: where one is bound the certificate is for
// all names of the host.
func (b *builder) serverProfile(o resource.Object, name, host string, mutual bool) string {
	if name == "" {
		return ""
	}
	need := []string{resource.TLSCert, resource.TLSKey}
	if mutual {
		need = append(need, resource.CACert) // to verify the clients
	}
	subject, hosts := host, []string{host}
	if isWildcard(host) {
		hosts = append(b.hostNames(""), localhost, "127.0.0.1")
		subject = hosts[0]
	}
	b.credential(request{
		Credential: Credential{Name: name, Use: Server, Source: name, Issuer: ServiceCA, Subject: subject, Hosts: hosts},
		need:       need, generate: true, by: o, field: "spec.tlsCredentials",
	})
	return name
}

func (b *builder) connector(o *resource.Connector) {
	name := o.Spec.TLSCredentials
	c := Connector{
		Name: o.Name, RoutingKey: o.Spec.RoutingKey, Host: o.Spec.Host, Port: o.Spec.Port,
		Profile: name, VerifyHostname: name != "" && o.Spec.VerifyHostname,
	}
	r := request{
		Credential: Credential{Name: name, Use: Client, Source: name, Issuer: ServiceCA, Subject: o.Spec.Host, Hosts: []string{o.Spec.Host}},
		need:       []string{resource.CACert, resource.TLSCert, resource.TLSKey}, generate: true, by: o, field: "spec.tlsCredentials",
	}
	if name != "" && !o.Spec.UseClientCert {
		c.Profile = profileOf(name)
		r.Credential = Credential{Name: c.Profile, Use: Trust, Source: name, Issuer: ServiceCA}
		r.need = []string{resource.CACert}
	}
	switch {
	case name != "":
		b.credential(r)
	case o.Spec.UseClientCert:
		b.warn(o, "spec.useClientCert", "no effect without tlsCredentials")
	case o.Spec.VerifyHostname:
		b.warn(o, "spec.verifyHostname", "no effect without tlsCredentials")
	}
	b.site.Connectors = append(b.site.Connectors, c)
}

// profileOf is the TLS profile of links, and of connectors without a client
// certificate.
func profileOf(credential string) string { return credential + "-profile" }

// maxKeys is how many routing keys a MultiKeyListener may have.
const maxKeys = 256

func (b *builder) multiKeyListener(o *resource.MultiKeyListener) {
	b.claim(o, "spec.port", o.Spec.Host, o.Spec.Port, ownerName(o))
	l := MultiKeyListener{
		Name: o.Name, Host: o.Spec.Host, Port: o.Spec.Port,
		Observer:          observer(o.Spec.Observer, o.Spec.Settings),
		Profile:           b.serverProfile(o, o.Spec.TLSCredentials, o.Spec.Host, o.Spec.RequireClientCert),
		RequireClientCert: o.Spec.RequireClientCert,
	}
	if l.RequireClientCert && l.Profile == "" {
		b.fail(o, "spec.requireClientCert", "client certificates need TLS: tlsCredentials is required")
	}
	priority, weighted := o.Spec.Strategy.Priority, o.Spec.Strategy.Weighted
	switch {
	case priority != nil && weighted != nil:
		b.fail(o, "spec.strategy", "exactly one strategy is allowed, priority or weighted")
		return
	case priority != nil:
		l.Strategy, l.Keys = Priority, b.priorityKeys(o, priority.RoutingKeys)
	case weighted != nil:
		l.Strategy, l.Keys = Weighted, b.weightedKeys(o, weighted.RoutingKeys)
	default:
		b.fail(o, "spec.strategy", "a strategy is required, priority or weighted")
		return
	}
	if was := b.ctx.Strategies[o.Name]; was != "" && was != l.Strategy {
		b.fail(o, "spec.strategy", fmt.Sprintf("strategy cannot be changed from %s to %s", was, l.Strategy)).
			Advice = "delete the MultiKeyListener first, then create it again"
	}
	b.site.MultiKeyListeners = append(b.site.MultiKeyListeners, l)
}

// priorityKeys gives the first key the highest value.
func (b *builder) priorityKeys(o resource.Object, keys []string) []WeightedKey {
	const field = "spec.strategy.priority.routingKeys"
	b.countKeys(o, field, len(keys))
	list := make([]WeightedKey, 0, len(keys))
	for i, key := range keys {
		at := fmt.Sprintf("%s[%d]", field, i)
		if key == "" {
			b.fail(o, at, "a routing key must not be empty")
		} else if slices.Contains(keys[:i], key) {
			b.fail(o, at, fmt.Sprintf("routing key %s given twice", key))
		}
		list = append(list, WeightedKey{key, len(keys) - 1 - i})
	}
	return list
}

func (b *builder) weightedKeys(o resource.Object, weights map[string]int) []WeightedKey {
	const field = "spec.strategy.weighted.routingKeys"
	b.countKeys(o, field, len(weights))
	list := make([]WeightedKey, 0, len(weights))
	for _, key := range slices.Sorted(maps.Keys(weights)) {
		if reason := resource.CheckRoutingKey(key); reason != "" {
			b.fail(o, field, fmt.Sprintf("invalid routing key %q: %s", key, reason))
		}
		if weights[key] < 1 {
			b.fail(o, field+"."+key, fmt.Sprintf("weight must be positive, got %d", weights[key]))
		}
		list = append(list, WeightedKey{key, weights[key]})
	}
	return list
}

func (b *builder) countKeys(o resource.Object, field string, n int) {
	switch {
	case n == 0:
		b.fail(o, field, "routingKeys must not be empty")
	case n > maxKeys:
		b.fail(o, field, fmt.Sprintf("%d routing keys, at most %d are allowed", n, maxKeys))
	}
}
