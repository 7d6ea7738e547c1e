package observer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router"
)

// patience bounds every wait of these tests. It only matters when one fails.
const patience = time.Minute

// startRouter runs a router of a site until the end of the test, and returns its
// socket.
func startRouter(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "obs") // a short path: sockets have no room for others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "skrouterd.json")
	text := `[["router", {"id": "west-1", "mode": "interior", "metadata": "{\"id\":\"1111-west\",\"version\":\"2.1.0\",\"platform\":\"linux\"}"}],
		["site", {"name": "west", "version": "2.1.0", "platform": "linux"}],
		["address", {"prefix": "mc", "distribution": "multicast"}]]`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "r.sock")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	ready := make(chan struct{})
	wg.Go(func() {
		_ = router.Run(ctx, router.Options{ // what fails is that it is never ready
			ConfigPath: config, SocketPath: socket, Log: slog.New(slog.DiscardHandler), Version: "test", Notify: &notifier{up: ready},
		})
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the router is not ready")
	}
	return socket
}

// notifier tells when a router is up.
type notifier struct{ up chan struct{} }

func (n *notifier) Ready()                                    { close(n.up) }
func (*notifier) Reloading()                                  {}
func (*notifier) Status(string)                               {}
func (*notifier) Stopping()                                   {}
func (*notifier) Watchdog(ctx context.Context, _ func() bool) { <-ctx.Done() }

// observing runs an observer until the end of the test and returns where it
// serves.
func observing(t *testing.T, cfg Config) (address string) {
	t.Helper()
	cfg.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(freeport.Get(t)))
	ready := make(chan struct{})
	cfg.Ready = func() { close(ready) }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return cfg.Listen
}

// get asks for a path.
func get(client *http.Client, url string) (status int, body string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// TestRun: what a router says is served, without a login on loopback.
func TestRun(t *testing.T) {
	t.Parallel()
	alone := net.JoinHostPort("127.0.0.1", strconv.Itoa(freeport.Get(t)))
	base := "http://" + observing(t, Config{Router: "unix:" + startRouter(t), ListenMetrics: alone, Version: "test", NoConsole: raced})
	deadline := time.Now().Add(patience)
	for {
		status, body, err := get(http.DefaultClient, base+"/api/v2alpha1/sites")
		var list struct {
			Results []struct{ Name, Identity string }
		}
		if err == nil && status == http.StatusOK {
			err = json.Unmarshal([]byte(body), &list)
		}
		if err == nil && len(list.Results) == 1 && list.Results[0].Name == "west" && list.Results[0].Identity == "1111-west" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s, %v", status, body, err)
		}
		<-time.After(20 * time.Millisecond)
	}
	for url, want := range map[string]string{
		base + "/healthz": "ok", base + "/swagger/": "<html", base + "/metrics": "skupper_site_info{name=\"west\"",
		base + "/api/v2alpha1/observer": `{"connected":true,"since":1`,
		"http://" + alone + "/metrics":  "skupper_site_info{name=\"west\"",
	} {
		if status, body, err := get(http.DefaultClient, url); status != http.StatusOK || err != nil || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, %v", url, status, body, err)
		}
	}
	if status, body, err := get(http.DefaultClient, base+"/"); err != nil || !raced && (status != http.StatusOK || !strings.Contains(body, "<html")) {
		t.Errorf("console: %d %s, %v", status, body, err)
	}
	if status, _, err := get(http.DefaultClient, "http://"+alone+"/api/v2alpha1/sites"); status != http.StatusNotFound || err != nil {
		t.Errorf("the API beside the metrics: %d, %v", status, err)
	}
}

// TestLogin: with users nothing but health is open.
func TestLogin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("anna:{PLAIN}secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := "http://" + observing(t, Config{Router: "unix:" + filepath.Join(dir, "none.sock"), Users: users})
	for path, want := range map[string]int{"/api/v2alpha1/sites": http.StatusUnauthorized, "/healthz": http.StatusOK} {
		if status, body, err := get(http.DefaultClient, base+path); status != want || err != nil {
			t.Errorf("%s: %d %s, %v", path, status, body, err)
		}
	}
}

// TestRefused: what is wrong with a configuration is said before anything runs.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Router: "http://x", Listen: "127.0.0.1:0"}, "router endpoint"},
		{Config{Listen: "0.0.0.0:0"}, "reached by others"},
		{Config{Listen: "[::]:0", Users: "x"}, "reached by others"},
		{Config{Listen: ":0", TLSCert: "x"}, "reached by others"},
		{Config{Listen: "127.0.0.1:0", TLSKey: "x"}, "belong together"},
		{Config{Listen: "127.0.0.1:0", TLSCert: "/nonexistent", TLSKey: "/nonexistent"}, "certificate of the listener"},
		{Config{Listen: "localhost:0", Prometheus: "ftp://x"}, "Prometheus"},
		{Config{Listen: "[::1]:0", Console: "/nonexistent"}, "console"},
		{Config{Listen: "0.0.0.0:x", Open: true}, "network observer: listen"},
	} {
		if tt.cfg.Router == "" {
			tt.cfg.Router = "unix:/nonexistent"
		}
		tt.cfg.NoConsole = tt.cfg.Console == "" // making one takes its time
		err := Run(t.Context(), tt.cfg)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.cfg, err, tt.want)
		}
		var wrong *Error
		if advised := strings.Contains(tt.want, "others") || tt.cfg.TLSCert+tt.cfg.TLSKey != ""; errors.As(err, &wrong) && advised != (wrong.Hint() != "") {
			t.Errorf("%v: hint %q", err, wrong.Hint())
		}
	}
}
