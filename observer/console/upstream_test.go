//go:build !race

package console

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/skupper-host/skupper/observer/access"
	"github.com/skupper-host/skupper/observer/api"
	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/observer/recorded"
)

// upstreamConsole names the directory of a build of upstream's console.
const upstreamConsole = "SKUPPER_UPSTREAM_CONSOLE"

// TestUpstreamsConsole looks at every page of upstream's console, served by us
// and with our API: it shows what is known, and complains of nothing.
func TestUpstreamsConsole(t *testing.T) {
	dir := os.Getenv(upstreamConsole)
	if dir == "" {
		t.Skip(upstreamConsole + " does not name a build of upstream's console")
	}
	files, err := api.Directory(dir)
	if err != nil {
		t.Fatal(err)
	}
	n, ring := recorded.Recent(t, time.Now()), history.New()
	ring.Observe(time.Now().Add(-time.Minute), nil)
	ring.Observe(time.Now().Add(-history.Step), n.Traffic())
	a := api.New(api.Options{Network: n, History: ring, Console: files})
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = a.Run(ctx) }) // it returns nil
	running.Go(func() {
		for tick := time.NewTicker(history.Step); ; {
			ring.Observe(time.Now(), n.Traffic())
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	})
	server := httptest.NewServer(access.New(access.Options{}).Wrap(a.Handler()))
	t.Cleanup(func() {
		end()
		running.Wait()
		server.CloseClientConnections()
		server.Close()
	})
	p := view(t, startBrowser(t), &observed{Server: server}, 1400, 900)
	p.do(chromedp.Navigate(server.URL + "/"))
	// A map is drawn on a canvas; its nodes cannot be read.
	drawn := "document.querySelector('main canvas') !== null"
	for _, page := range []struct {
		hash  string
		says  []string
		tabs  map[string][]string
		never string
	}{
		{hash: "/topology"},
		{hash: "/topology?type=Components"},
		{hash: "/topology?type=Processes"},
		{hash: "/services", says: []string{"echo", "local", "web", "http1", "1 - 3 of 3"}},
		{hash: "/services/web@" + serviceID(t, n.Services(), "web"), says: []string{"Open connections: 1", "Inbound: ", "50th percentile", "99th percentile", "POST"}, never: "No metrics found", tabs: map[string][]string{
			"Listeners and Connectors": {"connector/web", "42202", "listener/web", "west", "east"},
			"Data links":               {"site-client-127.0.0.1-11111111", "site-server-127.0.0.1-22222222", "645 B"},
			"Open connections":         {"site-client-127.0.0.1-11111111", "60178"},
			"Connection history":       {"site-server-127.0.0.1-22222222", "4.5 ms", "198 B", "60164"},
			"Http requests":            {"GET", "POST", "200", "404", "503"},
		}},
		{hash: "/sites", says: []string{"east-ns", "podman", "edge", "docker", "west", "linux", "1 - 3 of 3"}},
		{hash: "/sites/east@22222222-bbbb-4bbb-8bbb-222222222222", says: []string{"Tcp traffic", "Open connections: 1"}, tabs: map[string][]string{
			"Details":      {"east-ns", "2.1.0"},
			"Router links": {"link-to-west", "west", "up"},
			"Data links":   {"edge", "west", "KB"},
			"Processes":    {"site-server-127.0.0.1-22222222", "bound"},
		}},
		{hash: "/components", says: []string{"site-servers-22222222", "site-clients-11111111", "site-clients-33333333", "1 - 4 of 4"}},
		{hash: "/processes", says: []string{"echo-server", "site-client-127.0.0.1-11111111", "site-server-127.0.0.1-22222222", "1 - 4 of 4"}},
		{hash: "/processes/echo-server@4d0a1b5e-proc-echo", says: []string{"Tcp traffic"}, tabs: map[string][]string{
			"Details":    {"127.0.0.1", "myhost", "local"},
			"Data links": {"site-client-127.0.0.1-11111111", "tcp"},
		}},
	} {
		t.Log(page.hash)
		p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void (location.hash = %q)", page.hash)))
		if strings.HasPrefix(page.hash, "/topology") {
			p.until(drawn)
		}
		p.says(page.says...)
		if text := p.text(); page.never != "" && strings.Contains(text, page.never) {
			t.Errorf("%s says %s:\n%s", page.hash, page.never, text)
		}
		for name, says := range page.tabs {
			find := fmt.Sprintf("[...document.querySelectorAll('[role=tab]')].find((e) => e.innerText.trim() === %q)", name)
			p.until(find + "?.getAttribute('aria-disabled') !== 'true'")
			p.do(chromedp.Evaluate[chromedp.Void]("void " + find + ".click()"))
			p.until(find + ".getAttribute('aria-selected') === 'true'")
			p.says(says...)
		}
		if broken := eval[bool](p, "document.body.innerText.includes('An error occurred')"); broken {
			t.Errorf("%s: %s", page.hash, p.text())
		}
	}
	p.quiet()
}

func serviceID(t *testing.T, all []*record.Service, name string) string {
	t.Helper()
	for _, s := range all {
		if s.Name == name {
			return s.Identity
		}
	}
	t.Fatalf("no service %s", name)
	return ""
}
