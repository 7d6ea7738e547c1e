package vanflow

import (
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// prefixLength is the length of the part of an identity in front of the
// colon. compat: upstream's routers take no other length in a flow's identity.
const prefixLength = 5

// Prefix returns the identity prefix of one run of a router: the end of a host
// name that was made for a Kubernetes pod, else five random characters.
// Errors are those of random.
func Prefix(hostname string, random io.Reader) (string, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_"
	if i := len(hostname) - prefixLength - 1; i >= 0 && hostname[i] == '-' {
		return hostname[i+1:], nil
	}
	var b [prefixLength]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b[:]), nil
}

// RouterConfig describes the router of a Router source.
type RouterConfig struct {
	Prefix   string // of Prefix
	RouterID string // as in configuration; shown as "0/" and this
	Mode     string // interior, edge, standalone
	Version  string // of the router
	Hostname string
	// SiteID is the id of the site, empty if it is not known.
	SiteID string
	// Site is emitted by this source if SiteID is empty; with an id it belongs
	// to a Controller.
	Site *Site

	Namespace, ImageName, ImageVersion string // empty = absent
}

// Router is the event source of a router. Its methods may be called from any
// goroutine, except that Step and Finish belong to one.
type Router struct {
	source
	prefix string
	next   atomic.Uint64 // number of the next record
	asked  []telling     // Owned by Step.
	flows  flows
	co     coQueue
	logs   logQueue
}

// NewRouter returns the source of a router that starts now.
func NewRouter(now time.Time, c RouterConfig) *Router {
	id := c.Prefix + ":0"
	r := &Router{
		source: source{id: id, kind: SourceRouter, heartbeats: Address(id)},
		prefix: c.Prefix,
	}
	r.next.Store(1)
	site := c.SiteID
	if site == "" && c.Site != nil {
		site = r.identity()
		r.add(c.Site.entry(&r.source, site, now))
	}
	r.add(newEntry(&r.source, TypeRouter, id, now,
		Text(AttrParent, site), Text(AttrName, "0/"+c.RouterID), Text(AttrMode, c.Mode), Text(AttrBuildVersion, c.Version),
		Text(AttrHostname, c.Hostname), Text(AttrNamespace, c.Namespace), Text(AttrImageName, c.ImageName),
		Text(AttrImageVersion, c.ImageVersion)))
	return r
}

// identity returns a new record identity.
func (r *Router) identity() string {
	_, id := r.number()
	return id
}

func (r *Router) number() (n uint64, identity string) {
	n = r.next.Add(1) - 1
	return n, r.numbered(n)
}

func (r *Router) numbered(n uint64) string {
	b := make([]byte, 0, 26)
	b = append(append(b, r.prefix...), ':')
	return string(strconv.AppendUint(b, n, 10))
}

// parse returns the number of an identity that this run of the router made.
func (r *Router) parse(identity string) (n uint64, ok bool) {
	if !validFlow(identity) || identity[:prefixLength] != r.prefix {
		return 0, false
	}
	n, err := strconv.ParseUint(identity[prefixLength+1:], 10, 64)
	if err != nil {
		return 0, true // out of range: as good as unknown, 0 is no flow
	}
	return n, true
}

// validFlow reports whether the identity of a flow has the only form that
// upstream's routers take: five bytes, a colon, digits.
func validFlow(identity string) bool {
	if len(identity) < prefixLength+2 || len(identity) > 26 || identity[prefixLength] != ':' {
		return false
	}
	return strings.Trim(identity[prefixLength+1:], "0123456789") == ""
}

// entry makes a record below the ROUTER record; add retains it.
func (r *Router) entry(t Type, now time.Time, attributes []Attribute) *Entry {
	return newEntry(&r.source, t, r.identity(), now, append(attributes, Text(AttrParent, r.id))...)
}

// Flows is the number of flows and requests that have a record now, co-records
// included.
func (r *Router) Flows() int { return int(r.flows.alive.Load()) }

// CoRecordAddress returns the address of CoRecords, to be subscribed to in this
// router.
func (r *Router) CoRecordAddress() string { return AddressCoRecords(r.id) }

// Command takes what arrives at the source's direct address.
func (r *Router) Command(payload []byte) {
	r.source.Command(payload)
	if r.flush.Load() {
		r.flows.heard.Store(true)
	}
}

// Step emits what is due. It never blocks.
func (r *Router) Step(now time.Time, usable Usable) Output {
	var out Output
	r.announce(now, usable, &out.Send)
	if r.due(now) {
		r.source.records(now, usable, &out.Send)
		r.emitFlows(now, usable, &out.Send)
		r.emitCoRecords(now, usable, &out.Send)
		r.emitLogs(usable, &out.Send)
	}
	out.Wake = r.wake()
	return out
}

// Finish ends every record and returns the last messages. Without them
// collectors would take 30 s to notice that the router is gone: its identities
// do not come back.
func (r *Router) Finish(now time.Time, usable Usable) Output {
	r.endAll(now)
	r.flows.endAll(now)
	var out Output
	r.source.records(now, usable, &out.Send)
	r.emitFlows(now.Add(endDelay), usable, &out.Send)
	r.emitCoRecords(now, usable, &out.Send)
	return out
}
