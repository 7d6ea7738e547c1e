package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/system/api"
)

// toldObserver is a network observer that answers what a test says.
func toldObserver(t *testing.T, links func() []string, stream func(http.ResponseWriter, *http.Request)) *observed {
	t.Helper()
	dir, err := os.MkdirTemp("", "told") // a short path: sockets have no room for others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "o.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPrefix+"routerlinks", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"results":[%s]}`, strings.Join(links(), ",")) // the test sees that nothing came
	})
	mux.HandleFunc("GET "+apiPrefix+"events", stream)
	srv := &http.Server{Handler: mux}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) }) // it ends with Close
	t.Cleanup(func() {
		_ = srv.Close()
		serving.Wait()
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &observed{socket: socket, http: http.Client{Transport: transport}}
}

// aLink is a link of site west, as the API has it.
func aLink(id, status, reason string) string {
	return fmt.Sprintf(`{"identity":%q,"name":%q,"status":%q,"reason":%q,"sourceSiteName":"west","destinationSiteName":"east"}`, id, "to-"+id, status, reason)
}

func linkChange(change, link string) string {
	return fmt.Sprintf("event: routerlinks\ndata: {\"change\":%q,\"record\":%s}\n\n", change, link)
}

// TestEventsOfAnAbsence: what becomes of a link while the network observer is away,
// or more happens than it can tell, is told when it is there again; nothing is told
// twice.
func TestEventsOfAnAbsence(t *testing.T) {
	t.Parallel()
	var looks [][]string // what the list of links is, look by look
	var streams []string
	o := toldObserver(t, func() []string {
		now := looks[0]
		looks = looks[1:]
		return now
	}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(streams[0])) // and the stream ends
		streams = streams[1:]
	})
	var told []string
	tell := func(h happening) error {
		told = append(told, h.What+": "+h.Text)
		return nil
	}
	var links linkStates
	for i, step := range []struct {
		looks  [][]string
		stream string
		want   []string
	}{
		{ // the first look is how it is
			[][]string{{aLink("a", "up", ""), aLink("b", "down", "refused")}},
			"",
			nil,
		},
		{ // a change that the list has already, and another
			[][]string{{aLink("a", "up", ""), aLink("b", "up", "")}},
			linkChange("changed", aLink("b", "up", "")) + linkChange("changed", aLink("a", "down", "connection refused")),
			[]string{"link: to-b of site west to site east is up", "link: to-a of site west to site east is down: connection refused"},
		},
		{ // it was away, and is with other news
			[][]string{{aLink("a", "up", ""), aLink("b", "up", "")}},
			"",
			[]string{"link: to-a of site west to site east is up"},
		},
		{ // it could not tell everything
			[][]string{{aLink("a", "up", ""), aLink("b", "up", "")}, {aLink("a", "up", ""), aLink("b", "down", "certificate has expired")}},
			"event: hello\ndata: {}\n\n: still here\n\nevent: resync\ndata: {\"kinds\":[\"routerlinks\"]}\n\n",
			[]string{"missed: more happened than could be told", "link: to-b of site west to site east is down: certificate has expired"},
		},
		{ // everything else, and what is no event
			[][]string{{aLink("a", "up", ""), aLink("b", "down", "")}},
			"event: sites\ndata: {\"change\":\"added\",\"record\":{\"name\":\"east\"}}\n\n" +
				"event: sites\ndata: {\"change\":\"changed\",\"record\":{\"name\":\"east\"}}\n\n" +
				"event: sites\ndata: nonsense\n\n" +
				"event: listeners\ndata: {\"change\":\"removed\",\"record\":{\"name\":\"db\",\"siteName\":\"west\",\"routingKey\":\"db\"}}\n\n" +
				"event: connectors\ndata: {\"change\":\"added\",\"record\":{\"name\":\"db\",\"siteName\":\"east\",\"routingKey\":\"db\"}}\n\n" +
				"event: sources\ndata: {\"change\":\"changed\",\"record\":{\"name\":\"r1\",\"type\":\"ROUTER\",\"state\":\"" + record.SourceSilent + "\"}}\n\n" +
				linkChange("removed", aLink("a", "up", "")) + linkChange("added", aLink("c", "up", "")),
			[]string{
				"site: east came", "listener: db of site west for db was removed", "connector: db of site east for db was added", "source: router r1 is silent",
				"link: to-a of site west to site east was removed", "link: to-c of site west to site east is up",
			},
		},
	} {
		told, looks, streams = nil, step.looks, []string{step.stream}
		if err := o.follow(t.Context(), &links, tell); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if d := cmp.Diff(step.want, told); d != "" {
			t.Errorf("step %d: %s", i, d)
		}
	}
}

// TestObserverThatDoesNotAnswer: each reason has its own words and exit status.
func TestObserverThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	o := &observed{socket: "/run/o.sock"}
	for _, row := range []struct {
		err  error
		want int
		says string
	}{
		{&net.OpError{Op: "dial", Err: fs.ErrNotExist}, exitDenied, "no network observer runs"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, exitDenied, "no network observer runs"},
		{&net.OpError{Op: "dial", Err: syscall.EACCES}, exitDenied, "network observer: permission denied (/run/o.sock)"},
		{errors.New("unexpected EOF"), exitFailed, "network observer: unexpected EOF"},
	} {
		err := o.unreachable(t.Context(), row.err)
		if err.Error() != row.says || exitStatus(err) != row.want {
			t.Errorf("%v: %v, exit status %d", row.err, err, exitStatus(err))
		}
		if advised := slices.Contains([]api.Kind{api.Unavailable, api.Denied}, api.KindOf(err)); advised != (hintOf(err) != "") {
			t.Errorf("%v: hint %q", err, hintOf(err))
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.unreachable(ended, fs.ErrNotExist); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
