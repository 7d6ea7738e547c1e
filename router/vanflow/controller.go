package vanflow

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Site describes a site.
type Site struct {
	Name, Version                           string // Version is of Skupper
	Platform, Namespace, Location, Provider string // empty = absent
}

func (s Site) attributes() []Attribute {
	return []Attribute{
		Text(AttrName, s.Name), Text(AttrBuildVersion, s.Version), Text(AttrPlatform, s.Platform), Text(AttrNamespace, s.Namespace),
		Text(AttrLocation, s.Location), Text(AttrProvider, s.Provider),
	}
}

// entry makes the SITE record.
func (s Site) entry(of *source, identity string, now time.Time) *Entry {
	return newEntry(of, TypeSite, identity, now, s.attributes()...)
}

// Controller is the event source of a site. Its id is the site id, so that the
// site stays what it is when its router restarts; with a router's source
// upstream's collectors lose the SITE record half a minute after a restart.
//
// Collectors that still know the source do not ask for its state again, so it
// emits everything once after it starts.
type Controller struct {
	source
	site      *Entry
	processes map[string]*process // Guarded by source.mu. By identity.
}

// process is a PROCESS record and the number of connectors that lead there.
type process struct {
	entry *Entry
	uses  int
}

// NewController returns the source of a site.
func NewController(now time.Time, id string, s Site) *Controller {
	c := &Controller{
		source:    source{id: id, kind: SourceController, heartbeats: AddressHeartbeats(id), stable: true},
		processes: map[string]*process{},
	}
	c.site = s.entry(&c.source, id, now)
	c.add(c.site)
	return c
}

// SetSite changes the description of the site. What is empty stays as it is.
func (c *Controller) SetSite(s Site) {
	for _, a := range s.attributes() {
		if a.Text != "" {
			c.site.Set(a)
		}
	}
}

// Process describes what stands behind a connector.
type Process struct {
	// Identity is the processId of the connector, or of ProcessIdentity.
	Identity string
	Name     string // of the connector or service
	Group    string // component; without one collectors count no flows
	Host     string // exactly the connector's host
	Hostname string // of the machine
}

// ProcessIdentity returns an identity for the process at a host and port of a
// site. It is the same in every run.
func ProcessIdentity(site, host, port string) string {
	sum := sha256.Sum256([]byte(site + "\x00" + host + "\x00" + port))
	sum[6] = sum[6]&0x0f | 0x80 // version 8, RFC 9562 §5.8: a hash of our own
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// AddProcess notes that a connector leads to a process. The first one makes the
// PROCESS record; what later ones say about it counts.
func (c *Controller) AddProcess(now time.Time, p Process) {
	if p.Group == "" {
		p.Group = p.Name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.processes[p.Identity]
	if known == nil {
		known = &process{entry: newEntry(&c.source, TypeProcess, p.Identity, now, Text(AttrParent, c.id), Text(AttrMode, "external"))}
		c.processes[p.Identity] = known
		c.entries = append(c.entries, known.entry)
	}
	known.uses++
	for _, a := range []Attribute{
		Text(AttrName, p.Name), Text(AttrGroup, p.Group), Text(AttrSourceHost, p.Host), Text(AttrHostname, p.Hostname),
	} {
		if a.Text != "" {
			known.entry.set(a)
		}
	}
}

// RemoveProcess takes back one AddProcess; the last one ends the record.
func (c *Controller) RemoveProcess(now time.Time, identity string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.processes[identity]
	if known == nil {
		return
	}
	if known.uses--; known.uses == 0 {
		delete(c.processes, identity)
		known.entry.set(Number(AttrEndTime, micros(now)))
	}
}

// Retire ends PROCESS records of an earlier run that have no successor now.
// Without that collectors keep them, because the source is still the same.
func (c *Controller) Retire(now time.Time, identities ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range identities {
		if c.processes[id] == nil {
			e := newEntry(&c.source, TypeProcess, id, now)
			e.set(Number(AttrEndTime, micros(now)))
			c.entries = append(c.entries, e)
		}
	}
}

// Processes returns the identities of the live PROCESS records, sorted: what
// the next run gives to Retire.
func (c *Controller) Processes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.processes))
}

// Step emits what is due. It never blocks.
func (c *Controller) Step(now time.Time, usable Usable) Output {
	var out Output
	c.announce(now, usable, &out.Send)
	if c.due(now) {
		c.records(now, usable, &out.Send)
	}
	out.Wake = c.wake()
	return out
}

// Finish emits changes that are pending. The records stay: a router that
// restarts has the same site.
func (c *Controller) Finish(now time.Time, usable Usable) Output {
	var out Output
	c.records(now, usable, &out.Send)
	return out
}
