package vanflow

import (
	"slices"
	"strings"
	"testing"
)

const siteID = "11111111-aaaa-4aaa-8aaa-111111111111"

func newSite() *Controller {
	return NewController(at(0), siteID, Site{Name: "west", Version: "2.1.0", Platform: "linux", Namespace: "default"})
}

// TestControllerAnnouncements heartbeats on an address of its own.
func TestControllerAnnouncements(t *testing.T) {
	t.Parallel()
	c := newSite()
	want(t, "start", transcript(t, c.Step(at(0), only(AddressAll, AddressHeartbeats(siteID)))), strings.ReplaceAll(`
		mc/sfe.all BEACON CONTROLLER $ mc/sfe.$ sfe.$
		mc/sfe.$.heartbeats HEARTBEAT $ +0s
	`, "$", siteID))
}

// TestControllerState emits the site and its processes once anybody listens,
// also without FLUSH, because the collector may know the source already.
func TestControllerState(t *testing.T) {
	t.Parallel()
	c := newSite()
	id := ProcessIdentity(siteID, "127.0.0.1", "8080")
	c.AddProcess(at(0), Process{Identity: id, Name: "backend", Host: "127.0.0.1", Hostname: "box"})
	c.Retire(at(0), "old", id)
	for s := range 5 {
		want(t, "nobody", transcript(t, c.Step(at(float64(s)), nobody)), "")
	}
	want(t, "whole state", transcript(t, c.Step(at(5), c.listening())), strings.NewReplacer("$", siteID, "%", id).Replace(`
		mc/sfe.$ SITE $ startTime=+0s platform="linux" namespace="default" name="west" buildVersion="2.1.0"
		mc/sfe.$ PROCESS % parent="$" startTime=+0s mode="external" sourceHost="127.0.0.1" hostname="box" name="backend" group="backend"
		mc/sfe.$ PROCESS old startTime=+0s endTime=+0s
	`))
	want(t, "once", transcript(t, c.Step(at(6), c.listening())), "")
	c.Command(Flush(c.Direct()).Payload)
	if got := transcript(t, c.Step(at(7), c.listening())); strings.Count(got, "\n") != 2 || strings.Contains(got, "old") {
		t.Errorf("after FLUSH\n%s", got)
	}
}

// TestControllerProcesses shares a process between the connectors that lead to
// it and keeps its end until somebody can hear it.
func TestControllerProcesses(t *testing.T) {
	t.Parallel()
	c := newSite()
	c.AddProcess(at(0), Process{Identity: "p", Name: "one", Group: "g", Host: "h"})
	c.AddProcess(at(0), Process{Identity: "p", Name: "two", Group: "g", Host: "h"})
	c.AddProcess(at(0), Process{Identity: "q", Name: "three", Host: "h"})
	c.Step(at(1), c.listening())
	if got := c.Processes(); !slices.Equal(got, []string{"p", "q"}) {
		t.Errorf("processes %v", got)
	}
	c.RemoveProcess(at(2), "p")
	c.RemoveProcess(at(2), "unknown")
	want(t, "still in use", transcript(t, c.Step(at(2), c.listening())), "")
	c.RemoveProcess(at(3), "p")
	c.Step(at(3), nobody)
	want(t, "ended", transcript(t, c.Step(at(4), c.listening())), "mc/sfe."+siteID+" PROCESS p endTime=+3s\n")
	if got := c.Processes(); !slices.Equal(got, []string{"q"}) {
		t.Errorf("processes %v", got)
	}
	c.AddProcess(at(5), Process{Identity: "q", Name: "renamed", Host: "h"})
	want(t, "last change", transcript(t, c.Finish(at(5), c.listening())), "mc/sfe."+siteID+` PROCESS q name="renamed" group="renamed"`+"\n")
}

// TestControllerForgets bounds the ends that nobody hears.
func TestControllerForgets(t *testing.T) {
	t.Parallel()
	c := newSite()
	for range 2 * maxEnded {
		c.Retire(at(0), "old")
	}
	c.Step(at(1), nobody)
	if n := len(c.entries); n != maxEnded+1 {
		t.Errorf("%d records retained, want %d", n, maxEnded+1)
	}
}

func TestProcessIdentity(t *testing.T) {
	t.Parallel()
	a := ProcessIdentity(siteID, "127.0.0.1", "8080")
	if a != ProcessIdentity(siteID, "127.0.0.1", "8080") {
		t.Error("two identities for one process")
	}
	if len(a) != 36 || a[14] != '8' || strings.Count(a, "-") != 4 {
		t.Errorf("identity %s is no UUID of version 8", a)
	}
	for _, b := range []string{
		ProcessIdentity("other", "127.0.0.1", "8080"), ProcessIdentity(siteID, "127.0.0.2", "8080"),
		ProcessIdentity(siteID, "127.0.0.1", "8081"), ProcessIdentity(siteID+"1", "27.0.0.1", "8080"),
	} {
		if a == b {
			t.Error("one identity for two processes")
		}
	}
}
