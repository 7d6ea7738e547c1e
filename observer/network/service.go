package network

import (
	"fmt"
	"hash/fnv"

	"github.com/skupper-host/skupper/router/vanflow"
)

// identity makes the identity of something derived: a kind and a hash of what
// it is made of.
// compat: upstream's identities, so that bookmarks and dashboards stay.
func identity(kind string, parts ...string) string {
	h := fnv.New64()
	_, _ = h.Write([]byte(kind)) // cannot fail
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
	}
	return fmt.Sprintf("%s-%016x", kind, h.Sum64())
}

type serviceKey struct{ address, protocol string }

// service is a routing key with its protocol, as long as there is a listener
// or connector of it.
type service struct {
	serviceKey
	id                    string
	start                 uint64
	listeners, connectors int
	http1, http2          bool // seen in its connections
}

// deriveService puts a listener or connector into its service, and out of the
// one it was in.
func (n *Network) deriveService(e *entry) {
	k := serviceKey{e.text(vanflow.AttrVanAddress), e.text(vanflow.AttrProtocol)}
	want := e.live() && k.address != "" && k.protocol != ""
	if e.service != nil && (!want || e.service.serviceKey != k) {
		n.countService(e.service, e, -1)
		e.service = nil
	}
	if !want {
		return
	}
	s := e.service
	if s == nil {
		if s = n.services[k]; s == nil {
			s = &service{serviceKey: k, id: identity("adr", k.address, k.protocol)}
			n.services[k] = s
		}
		e.service = s
		n.countService(s, e, 1)
	}
	if start := e.rec.Number(vanflow.AttrStartTime); start != 0 && (s.start == 0 || start < s.start) {
		s.start = start
	}
}

func (n *Network) countService(s *service, e *entry, by int) {
	n.structure++
	if e.rec.Type == vanflow.TypeListener {
		s.listeners += by
	} else {
		s.connectors += by
	}
	if s.listeners == 0 && s.connectors == 0 {
		delete(n.services, s.serviceKey)
	}
}
