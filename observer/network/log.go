package network

import (
	"slices"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// logRing keeps the latest lines of the routers' logs.
type logRing struct {
	rows []*record.Log // oldest first
	seen map[string]struct{}
}

// applyLog takes a line of a router's log; the same again changes nothing.
func (n *Network) applyLog(s *source, r *vanflow.Record) {
	if _, ok := n.logs.seen[r.Identity]; ok {
		return
	}
	end := r.Number(vanflow.AttrEndTime)
	row := &record.Log{
		Base: base(r.Identity, r.Number(vanflow.AttrStartTime), end), RouterID: record.OrUnknown(n.limits.clean(r.Text(vanflow.AttrParent))),
		RouterName: record.Unknown, SiteID: record.Unknown, SiteName: record.Unknown,
		Severity: severity(r), Text: n.limits.clean(r.Text(vanflow.AttrLogText)),
		SourceFile: n.limits.clean(r.Text(vanflow.AttrSourceFile)), SourceLine: r.Number(vanflow.AttrSourceLine),
	}
	if row.RouterID == record.Unknown {
		row.RouterID = s.id
	}
	if e := n.find(vanflow.TypeRouter, row.RouterID); e != nil {
		row.RouterName, row.SiteID = record.OrUnknown(e.text(vanflow.AttrName)), record.OrUnknown(e.text(vanflow.AttrParent))
		if site := n.find(vanflow.TypeSite, row.SiteID); site != nil {
			row.SiteName = record.OrUnknown(site.text(vanflow.AttrName))
		}
	}
	n.logs.rows = append(n.logs.rows, row)
	n.logs.seen[row.Identity] = struct{}{}
	if len(n.logs.rows) > n.limits.Logs {
		delete(n.logs.seen, n.logs.rows[0].Identity)
		n.logs.rows = n.logs.rows[1:]
	}
}

func severity(r *vanflow.Record) string {
	names := [...]string{"debug", "info", "warning", "error", "critical"}
	if a, ok := find(r, vanflow.AttrLogSeverity); ok && a.Number < uint64(len(names)) {
		return names[a.Number]
	}
	return record.Unknown
}

// Logs returns the latest lines of the routers' logs, oldest first.
func (n *Network) Logs() []*record.Log {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.logs.rows)
}
