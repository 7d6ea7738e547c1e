//go:build !race

package console

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/access"
	"github.com/skupper-host/skupper/observer/api"
	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/router/vanflow"
)

// recorded is a network made of what real routers once sent.
func recorded(t *testing.T) *network.Network {
	t.Helper()
	n := network.New(network.Limits{})
	at := time.Now()
	for _, name := range []string{"flush-full-state", "go-controller", "flows"} {
		f, err := os.Open("../../testdata/captures/vanflow/" + name + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			apply(t, n, at, lines.Bytes())
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		_ = f.Close() // read only
	}
	for i := range 40 { // until all clients and servers are known
		n.Tick(at.Add(time.Duration(i) * time.Second))
	}
	return n
}

func apply(t *testing.T, n *network.Network, at time.Time, line []byte) {
	t.Helper()
	var l struct {
		Link string `json:"link_source"`
		Raw  string `json:"raw"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(l.Raw)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vanflow.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	switch m.Subject {
	case vanflow.SubjectBeacon:
		n.SourceSeen(at, m.ID, m.Source)
	case vanflow.SubjectRecord:
		id, _, _ := strings.Cut(strings.TrimPrefix(l.Link, "mc/sfe."), ".")
		n.Apply(at, id, m.Records)
	case vanflow.SubjectHeartbeat, vanflow.SubjectFlush:
	}
}

// realAPI tries the pages on the API as it is, behind its gate, and not on one
// that stands in for it.
func realAPI(t *testing.T, browser context.Context) {
	files, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	a := api.New(api.Options{Network: recorded(t), History: history.New(), Console: files})
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = a.Run(ctx) }) // it returns nil
	server := httptest.NewServer(access.New(access.Options{}).Wrap(a.Handler()))
	t.Cleanup(func() {
		end()
		running.Wait()
		server.CloseClientConnections()
		server.Close()
	})
	p := view(t, browser, &observed{Server: server}, 1280, 800)
	p.open("/network")
	p.until("document.querySelectorAll('.node').length >= 3 && document.querySelector('.live').innerText === 'Live'")
	p.says("link-to-west", "west", "east")
	for _, page := range allPages() {
		switch {
		case page.nothing == "":
		case strings.HasPrefix(page.hash, "/charts"), page.hash == "/logs":
			p.turn(page, page.nothing)
		default:
			p.turn(page, "")
		}
	}
	p.turn(shown{hash: "/services?name=echo", title: "Services"}, "echo")
	p.quiet()
}
