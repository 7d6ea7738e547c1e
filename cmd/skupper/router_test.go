package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRouterWithoutALog has whoever takes the log of a router end, as a container
// engine may: the router goes on.
func TestRouterWithoutALog(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sk") // sockets need short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "router.sock")
	writeFile(t, filepath.Join(dir, "skrouterd.json"), `[["router",{"id":"a","mode":"interior"}],["log",{"module":"DEFAULT","enable":"trace+"}]]`)
	router := exec.Command(self, "router", "run", "-c", filepath.Join(dir, "skrouterd.json"), "--socket", socket)
	router.Env = append(os.Environ(), asProgram+"=1", "GORACE="+raceOptions())
	log, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	router.Stderr = end
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = router.Process.Kill() // it may have ended
		_ = router.Wait()         // by that
	})
	if err := end.Close(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(log)
	for line := ""; !strings.Contains(line, "Operational"); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each connection is a line in the log
		if err := routerCheck(t.Context(), socket); err != nil {
			t.Fatal(err)
		}
	}
}
