package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skupper-host/skupper/observer/record"
)

// agrees holds what commands say of the network against what the API says, from
// which the console is drawn: agrees WEB PORT FREE. A connection through PORT is
// open meanwhile; a listener comes and goes at FREE. events -f is followed.
func agrees(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: agrees WEB PORT FREE")
	}
	api := "http://127.0.0.1:" + args[0] + apiPrefix
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", args[1]))
	ts.Check(err)
	defer c.Close()
	_, err = c.Write([]byte("holding"))
	ts.Check(err)
	_, err = io.ReadFull(c, make([]byte, len("holding")))
	ts.Check(err)
	for _, by := range []string{byService, bySite, byProcess} {
		differ := ""
		for deadline := time.Now().Add(time.Minute); ; <-time.After(250 * time.Millisecond) {
			if differ = cmp.Diff(ofAPI(ts, api, by), ofTop(ts, by)); differ == "" {
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("by %s (-API +top):\n%s", by, differ)
			}
		}
	}
	toldAlike(ts, api, args[2])
}

// totals of a service, or from a site or process to another.
type totals struct{ Open, Sent, Received float64 }

// ofTop is what top tells of those that are used.
func ofTop(ts *testscript.TestScript, by string) map[string]totals {
	ts.Check(ts.Exec("skupper", "-n", "west", "top", "--once", "-o", "json", "--by", by))
	var top struct{ Rows []*flow }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &top))
	all := map[string]totals{}
	for _, r := range top.Rows {
		all[r.Service+r.Client+" "+r.Server] = totals{r.Open, r.SentBytes, r.ReceivedBytes}
	}
	return all
}

// ofAPI sums up the connections that it lists.
func ofAPI(ts *testscript.TestScript, api, by string) map[string]totals {
	all := map[string]totals{}
	if by == byService {
		for _, s := range listed[record.Service](ts, api+"services?state=active") {
			all[s.Name+" "] = totals{}
		}
	}
	for _, c := range listed[record.Connection](ts, api+"connections?timeRangeStart=0") {
		key := map[string]string{
			byService: c.RoutingKey + " ", bySite: c.SourceSiteName + " " + c.DestSiteName, byProcess: c.SourceProcessName + " " + c.DestProcessName,
		}[by]
		t := all[key]
		t.Sent, t.Received = t.Sent+float64(c.OctetCount), t.Received+float64(c.OctetReverseCount)
		if c.EndTime == 0 {
			t.Open++
		}
		all[key] = t
	}
	return all
}

func listed[T any](ts *testscript.TestScript, address string) []T {
	r, err := http.Get(address)
	ts.Check(err)
	defer r.Body.Close()
	var page struct{ Results []T }
	ts.Check(json.NewDecoder(r.Body).Decode(&page))
	return page.Results
}

// toldAlike has a listener come and go, and compares what events -f tells of it
// with the stream that the console listens to, and that with the list.
func toldAlike(ts *testscript.TestScript, api, port string) {
	stream, err := http.Get(api + "events?kinds=listeners")
	ts.Check(err)
	var mu sync.Mutex
	var said []string
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stream.Body.Close()
	reading.Go(func() {
		for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var e change[record.Listener]
			if !ok || json.Unmarshal([]byte(data), &e) != nil || e.Change != "added" && e.Change != "removed" {
				continue // of its beginning, and what is not told
			}
			mu.Lock()
			said = append(said, fmt.Sprintf("%s of site %s for %s was %s", e.Record.Name, e.Record.SiteName, e.Record.RoutingKey, e.Change))
			mu.Unlock()
		}
	})
	told := func() []string {
		var texts []string
		for line := range strings.Lines(ts.Value(followedKey{}).(*atomic.Pointer[followed]).Load().String()) {
			var h happening
			if json.Unmarshal([]byte(line), &h) == nil && h.From == "observer" && h.What == "listener" && strings.HasPrefix(h.Text, "listener/passing ") {
				texts = append(texts, h.Text)
			}
		}
		return texts
	}
	names := func() []string {
		all := map[string]bool{}
		for _, l := range listed[record.Listener](ts, api+"listeners?state=active") {
			all[l.RoutingKey] = true
		}
		return slices.Sorted(maps.Keys(all))
	}
	for n, step := range []struct {
		command []string
		lists   []string
	}{
		{[]string{"listener", "create", "passing", port, "--host", "127.0.0.1", "--wait", "configured"}, []string{"db", "passing"}},
		{[]string{"listener", "delete", "passing"}, []string{"db"}},
	} {
		ts.Check(ts.Exec("skupper", append([]string{"-n", "west"}, step.command...)...))
		for deadline := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
			mu.Lock()
			streamed := slices.Clone(said)
			mu.Unlock()
			if len(streamed) == n+1 && slices.Equal(streamed, told()) && slices.Equal(names(), step.lists) {
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("after %q the stream has told %q, events -f %q, and %q are listed", step.command, streamed, told(), names())
			}
		}
	}
}
