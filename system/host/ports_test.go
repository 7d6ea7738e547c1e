package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPorts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "namespaces", "ports.json")
	p, err := LoadPorts(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Save(); err != nil { // nothing to save
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("written for nothing: %v", err)
	}
	west := []Claim{{Host: "127.0.0.1", Port: 8080, Owner: "listener a"}, {Port: 55671, Owner: "routeraccess west (inter-router)"}}
	if err := p.Claim("west", west); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		claim Claim
		taken string
	}{
		{Claim{Host: "127.0.0.1", Port: 8080, Owner: "listener x"}, "listener a"},
		{Claim{Host: "0.0.0.0", Port: 8080, Owner: "listener x"}, "listener a"},
		{Claim{Host: "10.0.0.1", Port: 55671, Owner: "listener x"}, "routeraccess west (inter-router)"},
		{Claim{Host: "127.0.0.2", Port: 8080, Owner: "listener x"}, ""},
		{Claim{Host: "127.0.0.1", Port: 8081, Owner: "listener x"}, ""},
	} {
		err := p.Claim("east", []Claim{row.claim})
		var e *ClaimError
		if (row.taken == "") != (err == nil) || err != nil && (!errors.As(err, &e) || e.Taken.Owner != row.taken || !strings.Contains(err.Error(), "in namespace west")) {
			t.Errorf("%+v: %v", row.claim, err)
		}
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := LoadPorts(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(again.Claims()); got != fmt.Sprint(p.Claims()) || len(again.Claims()) != 3 {
		t.Errorf("%s", got)
	}
	again.Release("west")
	if err := again.Claim("north", west); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := LoadPorts(path); err == nil || !strings.Contains(err.Error(), path) || p == nil || len(p.Claims()) > 0 {
		t.Errorf("damaged: %v", err)
	}
	if p, err := LoadPorts(path); err != nil || p == nil {
		t.Errorf("a damaged registry is not put aside: %v", err)
	}
}

func TestPortOwner(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if got, want := NewPortOwners().Of(port), fmt.Sprintf("(pid %d)", os.Getpid()); !strings.HasSuffix(got, want) {
		t.Errorf("port %d: %q, want %s", port, got, want)
	}
	if !NewBusyPorts()(port) {
		t.Errorf("port %d is not busy", port)
	}
	// A connection has a port of this host as well.
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if own := c.LocalAddr().(*net.TCPAddr).Port; !NewBusyPorts()(own) {
		t.Errorf("port %d of a connection is not busy", own)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := NewPortOwners().Of(port); got != "" {
		t.Errorf("closed port %d: %q", port, got)
	}
}

func TestTakenPorts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	owners := NewPortOwners()
	for host, want := range map[string]bool{"127.0.0.1": true, "": true, "0.0.0.0": true, "127.0.0.2": false, "localhost": false} {
		if got := owners.Taken(host, port); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

func TestParseSocket(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]listening{
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0":                                  {netip.MustParseAddr("127.0.0.1"), 8080, "1000", "4711"},
		"   1: 00000000000000000000000000000000:D977 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0": {netip.IPv6Unspecified(), 55671, "0", "12"},
	} {
		if got, ok := parseSocket(line); !ok || got != want {
			t.Errorf("%q: %+v", line, got)
		}
	}
	for _, line := range []string{
		"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
		"   0: 0100007F:1F90 0100007F:1234 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1",
		"   0: 0100007F:XYZ 00000000:0000 0A 0:0 00:0 0  1000        0 4711 1",
		"   0: 0100007F 00000000:0000 0A 0:0 00:0 0  1000        0 4711 1",
	} {
		if got, ok := parseSocket(line); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestFullName(t *testing.T) {
	t.Parallel()
	hosts := "127.0.0.1 localhost\n# 10.0.0.9 box.wrong.example\n127.0.1.1\tbox.example.com box # here\n10.0.0.2 other.example.com box.second.example\n::1\n"
	for name, want := range map[string]string{"box": "box.example.com", "BOX": "box.example.com", "other": "other.example.com", "nobody": "", "": "", "box.example.com": ""} {
		if got := fullName([]byte(hosts), name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	f := Look(t.Context())
	if name, err := os.Hostname(); err != nil || f.Hostname != name {
		t.Errorf("host name %q, want %q (%v)", f.Hostname, name, err)
	}
	if len(f.Interfaces) == 0 || f.FirstPort < 0 {
		t.Errorf("%+v", f)
	}
}
