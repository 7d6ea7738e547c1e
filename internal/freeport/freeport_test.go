package freeport

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
)

func TestGet(t *testing.T) {
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(Get(t)))
	if _, err := net.Dial("tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a connection to it: %v", err)
	}
	for range 2 { // also again
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Close(), l.Close()
	}
}

// TestNobodyElse takes every port that the kernel gives until there is none.
func TestNobodyElse(t *testing.T) {
	held := Get(t)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for range min(limit.Cur/2, 4000) {
		port, release, err := Hold()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if port == held {
			t.Fatalf("port %d was given twice", port)
		}
	}
}
