package router

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/journal"
	"github.com/skupper-host/skupper/router/vanflow"
)

// telemetry is what the router tells network observers: in its own name and,
// if it knows to which site it belongs and the configuration describes it, in
// that of the site. It implements vanflow.Publisher.
type telemetry struct {
	r *Router

	// Set before Run, then read only.
	source   *vanflow.Router
	site     *vanflow.Controller // of the site, or nil
	siteID   string
	hostname string
	memory   *remembering // of the site, nil if there is no place for it

	tasks []*task // Owned by the control loop.

	mu       sync.Mutex
	links    []*linkFlow   // Guarded by mu.
	accesses []*accessFlow // Guarded by mu.
}

// newTelemetry returns the sources; start makes them live.
func newTelemetry(r *Router, cfg *config.Config) (*telemetry, error) {
	t := &telemetry{r: r}
	text := func(name string) string {
		s, _ := r.env(name) // not set is as empty
		return s
	}
	pod := ""
	if t.hostname = text("HOSTNAME"); t.hostname == "" {
		t.hostname, _ = os.Hostname() // an empty name says as much as the error
	}
	if text("POD_NAMESPACE") != "" {
		pod = t.hostname // elsewhere it names the machine, which may have several routers
	}
	prefix, err := vanflow.Prefix(pod, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("random numbers: %w", err)
	}
	about := readMetadata(cfg.Router.Metadata)
	t.siteID = cmp.Or(text("SKUPPER_SITE_ID"), about.ID)
	c := vanflow.RouterConfig{
		Prefix: prefix, RouterID: r.id, Mode: r.mode, Version: r.version, Hostname: t.hostname, SiteID: t.siteID,
		Namespace: text("POD_NAMESPACE"), ImageName: text("APPLICATION_NAME"), ImageVersion: text("VERSION"),
	}
	if cfg.Site != nil {
		site := describeSite(cfg.Site, about)
		c.Site = &site
		if t.siteID != "" {
			t.site = vanflow.NewController(r.started, t.siteID, site)
		}
	}
	t.source = vanflow.NewRouter(r.started, c)
	return t, nil
}

// metadata is what Skupper says of the site in an attribute of the router.
type metadata struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Platform string `json:"platform"`
}

// readMetadata returns nothing for a text of other tools.
func readMetadata(text string) (m metadata) {
	if json.Unmarshal([]byte(text), &m) != nil {
		return metadata{}
	}
	return m
}

func describeSite(s *config.Site, m metadata) vanflow.Site {
	return vanflow.Site{
		Name: cmp.Or(m.Name, s.Name), Version: cmp.Or(s.Version, m.Version), Platform: cmp.Or(s.Platform, m.Platform),
		Namespace: s.Namespace, Location: s.Location, Provider: s.Provider,
	}
}

// changeSite puts another description of the site in effect.
func (t *telemetry) changeSite(c config.Change) {
	if s, ok := c.New.(*config.Site); ok && t.site != nil {
		t.site.SetSite(describeSite(s, readMetadata(t.r.cfg.Router.Metadata)))
		return
	}
	t.r.log.Warn("change needs a restart of the router", "module", "AGENT", "change", c.String())
}

// start subscribes to what the sources are told and publishes what they say.
func (t *telemetry) start() {
	r := t.r
	id := t.source.ID()
	r.subscribe(t.source.Direct(), maxCommand, t.source.Command)
	r.subscribe(t.source.CoRecordAddress(), maxCoRecords, t.source.CoRecords)
	t.expect(vanflow.AddressAll, vanflow.Address(id), vanflow.AddressFlows(id), vanflow.AddressLogs(id))
	t.publishing(measured{t.source, t})
	if t.site != nil {
		r.subscribe(t.site.Direct(), maxCommand, t.site.Command)
		t.expect(vanflow.Address(t.siteID), vanflow.AddressHeartbeats(t.siteID))
		if t.memory != nil {
			t.publishing(t.memory)
		} else {
			t.publishing(t.site)
		}
	}
	if r.journal != nil {
		r.journal.Watch(t.logged)
	}
}

// remember keeps in a file what the next run has to know.
func (t *telemetry) remember(path string) {
	if t.site != nil {
		t.memory = &remembering{Controller: t.site, path: path, log: t.r.log}
	}
}

// established notes that everything that is configured has its records.
func (t *telemetry) established() {
	if t.memory != nil {
		t.memory.compare(time.Now())
	}
}

// expect makes the router know whether somebody listens to the addresses.
func (t *telemetry) expect(addresses ...string) {
	for _, a := range addresses {
		t.r.table.AddWatcher(t.r.snap.Load().Names().Key(a), forward.Multicast)
	}
}

func (t *telemetry) publishing(s vanflow.Source) {
	t.tasks = append(t.tasks, t.r.run(func(ctx context.Context) { _ = vanflow.Run(ctx, t, s) })) // always nil
}

// stop publishes the last messages of the sources.
func (t *telemetry) stop() {
	if t.r.journal != nil {
		t.r.journal.Watch(nil)
	}
	for _, x := range t.tasks {
		x.cancel(nil)
		<-x.done
	}
}

// Usable implements vanflow.Publisher.
func (t *telemetry) Usable(address string) bool {
	snap := t.r.snap.Load()
	n := t.r.leading(snap, snap.Names().Key(address), false).Counts()
	return n.Local+n.Proxy+n.Remote > 0
}

// Publish implements vanflow.Publisher.
func (t *telemetry) Publish(p vanflow.Publication) { t.r.publish(p.To, defaultPriority, p.Payload) }

// logged makes a record of a line in the log.
func (t *telemetry) logged(l journal.Line) {
	severity := vanflow.SeverityWarning
	switch l.Level {
	case "error":
		severity = vanflow.SeverityError
	case "critical":
		severity = vanflow.SeverityCritical
	}
	t.source.Log(l.Time, severity, "LOG_"+l.Module+": "+l.Text, l.File, l.LineNumber)
}

// measured is the router's source, which looks at its links just before it
// speaks of them.
type measured struct {
	*vanflow.Router
	t *telemetry
}

// Step implements vanflow.Source.
func (s measured) Step(now time.Time, usable vanflow.Usable) vanflow.Output {
	if usable(vanflow.Address(s.ID())) {
		s.t.measure()
	}
	return s.Router.Step(now, usable)
}

// Finish implements vanflow.Source.
func (s measured) Finish(now time.Time, usable vanflow.Usable) vanflow.Output {
	s.t.measure()
	return s.Router.Finish(now, usable)
}

// measure notes what is not noted as it happens.
func (t *telemetry) measure() {
	t.mu.Lock()
	links, accesses := slices.Clone(t.links), slices.Clone(t.accesses)
	t.mu.Unlock()
	for _, a := range accesses {
		a.measure()
	}
	for _, l := range links {
		l.measure()
	}
}

// process notes what stands behind a connector, unless other tools do that. It
// returns the identity that the CONNECTOR record names.
func (t *telemetry) process(c *config.TCPConnector, host string) string {
	if t.site == nil {
		return c.ProcessID
	}
	id := cmp.Or(c.ProcessID, vanflow.ProcessIdentity(t.siteID, host, c.Port))
	name := strings.TrimPrefix(c.Name, "connector/") // compat: names made by Skupper
	component, _, _ := strings.Cut(name, "@")        // several hosts may serve one connector
	t.site.AddProcess(time.Now(), vanflow.Process{Identity: id, Name: name, Group: component, Host: host, Hostname: t.hostname})
	return id
}

// processGone takes back what process noted.
func (t *telemetry) processGone(identity string) {
	if t.site != nil {
		t.site.RemoveProcess(time.Now(), identity)
	}
}

// subscribe makes a part of the router a destination that other routers know
// of, for messages up to limit octets. It is called by the control loop.
func (r *Router) subscribe(address string, limit int, handle func(message []byte)) {
	r.table.Add(r.snap.Load().Names().Key(address), &forward.Consumer{
		Kind: forward.Process, Announced: true, Target: &process{handle: handle, limit: limit, incomplete: &r.incomplete},
	}, forward.Closest)
}
