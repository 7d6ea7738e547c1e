package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/observer/network"
)

// TestUpstreamRouters observes a network of upstream's routers, of which SKROUTERD
// names the program: what is shown is complete, and the bytes counted
// are those of the clients.
func TestUpstreamRouters(t *testing.T) {
	t.Parallel()
	program := os.Getenv("SKROUTERD")
	if program == "" {
		t.Skip("SKROUTERD does not name upstream's router")
	}
	links, port, clients := freeport.Get(t), freeport.Get(t), freeport.Get(t)
	runUpstream(
		t, program, 1, "west", on("listener", "links", links, attrs{"role": "inter-router"}), on("listener", "clients", clients, attrs{"role": "normal"}),
		on("tcpListener", "echo", port, attrs{"address": "echo", "siteId": siteID(1), "observer": "none"}),
	)
	runUpstream(
		t, program, 2, "east", on("connector", "to-west", links, attrs{"role": "inter-router", "cost": "3"}),
		on("tcpConnector", "echo", echo(t), attrs{"address": "echo", "siteId": siteID(2)}),
	)
	n := network.New(network.Limits{})
	c := New(Config{Endpoint: Endpoint{Network: "tcp", Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(clients))}}, n)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) }) // it returns nil
	defer wg.Wait()
	defer cancel()
	eventually(t, "the network", func() error {
		links := n.RouterLinks()
		if len(n.Sites()) != 2 || len(links) != 1 || links[0].DestinationSiteName == nil || len(n.Listeners()) != 1 || len(n.Connectors()) != 1 {
			return fmt.Errorf("%d sites, links %+v, status %+v", len(n.Sites()), links, c.Status())
		}
		return nil
	})
	for _, size := range []int{10, 100, 70_000} {
		if err := say(t, port, size).Close(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "traffic", func() error { return counted(n, 3, 70_110, 70_110) })
	for _, row := range n.Connections() {
		if row.TraceSites[0] != "west" || row.TraceSites[1] != "east" || row.DestProcessName != "site-server-127.0.0.1-00000002" {
			t.Errorf("%+v", row)
		}
	}
	if s := c.Status(); s.Malformed != 0 {
		t.Errorf("%+v", s)
	}
}

// runUpstream runs a router of upstream until the end of the test.
func runUpstream(t *testing.T, program string, n int, name string, more ...entity) {
	t.Helper()
	text, err := json.Marshal(append([]entity{
		{"router", attrs{"id": name + "-1", "mode": "interior", "metadata": fmt.Sprintf(`{"id":%q,"version":"2.1.0"}`, siteID(n))}},
		{"site", attrs{"name": name, "version": "2.1.0", "platform": "linux"}},
		{"address", attrs{"prefix": "mc", "distribution": "multicast"}},
	}, more...))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "skrouterd.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", file)
	cmd.Env = append(os.Environ(), "SKUPPER_SITE_ID="+siteID(n))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // it was killed
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, log.String())
		}
	})
}
