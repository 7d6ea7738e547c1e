package system

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/pki"
)

// observerHome is a data home in which a network observer may be installed.
func observerHome(t *testing.T) layout.Paths {
	t.Helper()
	_, o := newMachinery(t)
	if err := makeHome(o.Paths); err != nil {
		t.Fatal(err)
	}
	return o.Paths
}

// filesBelow are the files below some directories, with what is in them.
func filesBelow(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			all[path] = ""
			if d.Type().IsRegular() {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				all[path] = string(data)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// observerAsked is an agent that starts a network observer, or fails to.
type observerAsked struct {
	asked []api.Operation
	fail  error // of a start, once
}

func (a *observerAsked) ask(_ context.Context, op api.Operation) error {
	a.asked = append(a.asked, op)
	err := a.fail
	if op == api.Start {
		a.fail = nil
		return err
	}
	return nil
}

func TestObserverInstallationIsUndone(t *testing.T) {
	t.Parallel()
	paths := observerHome(t)
	agent := &observerAsked{}
	s := &ObserverSetup{
		Binary: "/usr/bin/skupper", Paths: paths, Ask: agent.ask, Users: []byte("ann:{PLAIN}one\n"),
		Options: ObserverOptions{Namespace: "west", Listen: fmt.Sprintf("0.0.0.0:%d", freeport.Get(t)), OwnCert: true, Users: paths.ObserverUsers()},
	}
	look := func() map[string]string { return filesBelow(t, paths.DataHome, paths.RunDir) }

	// The first one: nothing is left.
	empty := look()
	agent.fail = errors.New("it does not start")
	if _, err := s.Install(t.Context()); err == nil || !strings.Contains(err.Error(), "it does not start") {
		t.Fatalf("the first installation: %v", err)
	}
	if d := cmp.Diff(empty, look()); d != "" {
		t.Errorf("left of an installation that failed:\n%s", d)
	}
	if d := cmp.Diff([]api.Operation{api.Start, api.Stop}, agent.asked); d != "" {
		t.Errorf("asked of the agent: %s", d)
	}

	// The second one: what was there is there again, and is started.
	lines, err := s.Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cert, key := s.Options.Certificate(paths)
	for _, want := range []string{"wrote " + paths.ObserverUsers(), "wrote " + cert, "wrote " + paths.ObserverRecord(), "started " + layout.ObserverUnitName} {
		if !slices.Contains(lines, want) {
			t.Errorf("no %q in %q", want, lines)
		}
	}
	for _, path := range []string{key, filepath.Join(paths.AgentIssuerDir(observerCA), pki.KeyFile), paths.ObserverUsers(), paths.ObserverRecord()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	installed := look()
	agent.asked, agent.fail, s.Own = nil, errors.New("it does not start"), 4711
	s.Users, s.Options.Hosts = []byte("bob:{PLAIN}two\n"), []string{"east.example.com"}
	if _, err := s.Install(t.Context()); err == nil {
		t.Fatal("it succeeded")
	}
	if d := cmp.Diff(installed, look()); d != "" {
		t.Errorf("an installation that failed changed:\n%s", d)
	}
	if d := cmp.Diff([]api.Operation{api.Start, api.Stop, api.Start}, agent.asked); d != "" {
		t.Errorf("asked of the agent: %s", d)
	}

	// What is as wanted is not touched.
	s.Users, s.Options.Hosts, s.Own, agent.asked = nil, nil, 0, nil
	if lines, err := s.Missing(t.Context()); err != nil || len(lines) > 0 {
		t.Errorf("once installed it would do %q, %v", lines, err)
	}

	// It goes without a trace.
	if _, err := UninstallObserver(t.Context(), nil, paths, true, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(empty, look()); d != "" {
		t.Errorf("left of it:\n%s", d)
	}
}

// TestObserverCertificate: the certificate is for the hosts that it is reached at,
// of an authority that stays, and made anew in time.
func TestObserverCertificate(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	if err := makeHome(o.Paths); err != nil {
		t.Fatal(err)
	}
	a := NewAgent(o, m)
	record := &ObserverRecord{ObserverOptions: ObserverOptions{Namespace: "west", Listen: "0.0.0.0:8443", OwnCert: true, Hosts: []string{"east.example.com"}}}
	if err := record.write(o.Paths); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	shown := func() pki.Info {
		t.Helper()
		info, err := pki.Describe(readPair(o.Paths.ObserverCerts()).Cert)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	a.m.renewObserver(t.Context(), now)
	first := shown()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", name, "east.example.com"} {
		if !first.Covers(host) {
			t.Errorf("it is for %q, not for %s", first.Hosts, host)
		}
	}
	if first.Issuer != observerCA || first.CA {
		t.Errorf("%+v", first)
	}
	a.m.renewObserver(t.Context(), now.Add(200*24*time.Hour))
	if shown().Serial != first.Serial {
		t.Error("made anew for nothing")
	}
	authority := readPair(o.Paths.AgentIssuerDir(observerCA))
	a.m.renewObserver(t.Context(), first.RenewAt)
	second := shown()
	if second.Serial == first.Serial || !second.NotAfter.After(first.NotAfter.Add(200*24*time.Hour)) {
		t.Errorf("not renewed in time: until %v, before until %v", second.NotAfter, first.NotAfter)
	}
	if !readPair(o.Paths.AgentIssuerDir(observerCA)).Equal(authority) {
		t.Error("another authority, which no browser trusts")
	}
	if _, err := pki.Load(readPair(o.Paths.ObserverCerts())); err != nil {
		t.Error(err)
	}

	// A name more, and one address only.
	record.Hosts, record.Listen = append(record.Hosts, "more.example.com"), "10.20.30.40:8443"
	if err := record.write(o.Paths); err != nil {
		t.Fatal(err)
	}
	a.m.renewObserver(t.Context(), now)
	if info := shown(); !info.Covers("more.example.com") || !info.Covers("10.20.30.40") || info.Covers("localhost") {
		t.Errorf("it is for %q", info.Hosts)
	}

	// What a person put there is replaced: it is not of this authority.
	root, err := pki.Issue(pki.Want{Authority: true, Subject: "house", Validity: time.Hour}, nil, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, o.Paths.ObserverCerts(), root)
	a.m.renewObserver(t.Context(), now)
	if info := shown(); info.Issuer != observerCA {
		t.Errorf("of %s", info.Issuer)
	}
}

// TestObserverListens: an address on which nobody can listen is refused with the
// reason, before anything is changed.
func TestObserverListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	taken := l.Addr().String()
	free := fmt.Sprintf("127.0.0.1:%d", freeport.Get(t))
	for _, row := range []struct {
		listen, metrics string
		own             int
		kind            api.Kind
		want            string // "" if it can
	}{
		{free, "", 0, "", ""},
		{taken, "", os.Getpid(), "", ""}, // by the one that makes room
		{taken, "", os.Getpid() + 1, api.Conflict, "--listen " + taken + ": address already in use by "},
		{free, taken, 0, api.Conflict, fmt.Sprintf("--listen-metrics %s: address already in use by system.test (pid %d)", taken, os.Getpid())},
		{free, free, 0, api.Invalid, "--listen has this address"},
		{"192.0.2.77:8080", "", 0, api.Invalid, "no interface of this host has this address"},
		{"127.0.0.1:99999", "", 0, api.Invalid, "not an address with a port"},
		{"127.0.0.1:0", "", 0, api.Invalid, "not an address with a port"},
		{free, "9000", 0, api.Invalid, "--listen-metrics 9000: not an address with a port"},
	} {
		o := ObserverOptions{Listen: row.listen, ListenMetrics: row.metrics}
		err := o.listenable(row.own)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want) || api.KindOf(err) != row.kind) {
			t.Errorf("%s, %s: %v (%s), want %q", row.listen, row.metrics, err, api.KindOf(err), row.want)
		}
	}
}
