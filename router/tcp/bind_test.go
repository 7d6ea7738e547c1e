package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A taken port is told in the system's words, with who has it.
func TestBindTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	host, port, _ := net.SplitHostPort(taken.Addr().String()) // it is well-formed
	_, err = Bind(context.Background(), Endpoint{Host: host, Port: port}, 0)
	var be *BindError
	if !errors.As(err, &be) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v, want a *BindError of EADDRINUSE", err)
	}
	prefix := "listen on " + taken.Addr().String() + ": address already in use by "
	suffix := fmt.Sprintf(" (pid %d)", os.Getpid())
	if got := err.Error(); !strings.HasPrefix(got, prefix) || !strings.HasSuffix(got, suffix) {
		t.Errorf("got %q, want %s…%s", got, prefix, suffix)
	}
	if be.Hint() == "" {
		t.Error("no hint")
	}
}
