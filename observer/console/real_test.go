//go:build !race

package console

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/access"
	"github.com/skupper-host/skupper/observer/api"
	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/recorded"
)

// realNetwork is made of what real routers once sent.
func realNetwork(t *testing.T) *network.Network {
	t.Helper()
	n := network.New(network.Limits{})
	at := time.Now()
	for _, name := range []string{"flush-full-state", "go-controller", "flows"} {
		recorded.Replay(t, n, at, name)
	}
	recorded.Settle(n, at)
	return n
}

// that stands in for it.
func realAPI(t *testing.T, browser context.Context) {
	files, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	a := api.New(api.Options{Network: realNetwork(t), History: history.New(), Console: files})
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
		case page.nothing == gone:
		case strings.HasPrefix(page.hash, "/charts"), page.hash == "/logs":
			p.turn(page, page.nothing)
		default:
			p.turn(page, "")
		}
	}
	p.turn(shown{hash: "/services?name=echo", title: "Services"}, "echo")
	p.quiet()
}
