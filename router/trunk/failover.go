package trunk

import (
	"slices"
	"strconv"

	"github.com/skupper-host/skupper/router/amqp"
)

// propFailover is the property of a peer's open that says where its clients may
// go instead: a list of maps with network-host and port.
const propFailover = "failover-server-list"

// maxFailover bounds how many places are taken from a peer.
const maxFailover = 16

// failover returns the places that a peer names; said is false if it does not
// say anything about them. Entries without host are left out.
func failover(open *amqp.Open) (places []Endpoint, said bool) {
	list, said := open.Properties.Get(propFailover).(amqp.List)
	for _, x := range list {
		m, _ := x.(amqp.Map)
		e := Endpoint{Host: words(m.Get("network-host")), Port: words(m.Get("port"))}
		if e.Port == "" {
			e.Port = "5672" // IANA
		}
		if e.Host != "" && len(places) < maxFailover {
			places = append(places, e)
		}
	}
	return places, said
}

// words is the text of a value that is a string, a symbol or a number.
func words(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case amqp.Symbol:
		return string(v)
	case int32:
		return strconv.Itoa(int(v))
	case uint16:
		return strconv.Itoa(int(v))
	}
	return ""
}

// follow makes what the peer at endpoint e says about other places the places
// to connect to: those that were configured, then the one that has answered,
// then what the peer names. They replace what a peer has said before. TLS
// verifies each of them as if it had been configured. It is called with mu held.
func (d *Dialer) follow(open *amqp.Open, e Endpoint) {
	places, said := failover(open)
	if !said {
		return
	}
	next := slices.Clone(d.cfg.Endpoints)
	for _, p := range append([]Endpoint{e}, places...) {
		if !slices.Contains(next, p) {
			next = append(next, p)
		}
	}
	d.endpoints, d.kept = next, slices.Index(next, e)
}

// order returns where to connect, the one in use first. It is called with mu
// held.
func (d *Dialer) order() []Endpoint {
	return slices.Concat(d.endpoints[d.kept:], d.endpoints[:d.kept])
}
