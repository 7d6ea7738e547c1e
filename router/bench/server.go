package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The first octet of a connection tells the server what is wanted.
const (
	wantEcho = 'E' // everything comes back
	wantSink = 'S' // blocks go in; after the last one their number comes back
	wantWeb  = 'G' // of GET: it is HTTP, and the path is how many octets come back
	wantFeed = 'F' // a duration in ns (8 octets) goes in, blocks come back for that long
)

// blockSize is what is written at once, in octets. The first octet of a block
// is lastBlock in the last one.
const (
	blockSize = 64 << 10
	lastBlock = 0xff
)

// serve is the server behind the tunnels: `bench serve ADDRESS`.
func serve(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench serve ADDRESS")
	}
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	return accept(ln, func(c net.Conn) { answer(c) })
}

// accept serves each connection on a goroutine of its own until ln fails.
func accept(ln net.Listener, f func(net.Conn)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		wg.Go(func() { f(c) })
	}
}

// answer serves one connection. Errors end it, and the client reports them.
func answer(c net.Conn) {
	defer c.Close()
	var small [512]byte // idle connections own no more
	if _, err := io.ReadFull(c, small[:1]); err != nil {
		return
	}
	switch small[0] {
	case wantEcho:
		echo(c, small[:])
	case wantSink:
		n, err := drain(c)
		if err != nil {
			return
		}
		binary.BigEndian.PutUint64(small[:], n)
		_, _ = c.Write(small[:8])
		_, _ = c.Read(small[:1]) // the client closes first
	case wantWeb:
		serveWeb(c, small[:1])
	case wantFeed:
		if _, err := io.ReadFull(c, small[:8]); err != nil {
			return
		}
		_, _ = feed(c, time.Now().Add(time.Duration(binary.BigEndian.Uint64(small[:]))))
		_, _ = c.Read(small[:1])
	}
}

// serveWeb answers requests of which the beginning was read.
func serveWeb(c net.Conn, begun []byte) {
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(begun), c))
	block := make([]byte, blockSize)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			return
		}
		b := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", size)
		for size > 0 && err == nil {
			n := min(size, len(block))
			b = append(b, block[:n]...)
			_, err = c.Write(b)
			b, size = b[:0], size-n
		}
		if err != nil {
			return
		}
	}
}

func echo(c net.Conn, b []byte) {
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// feed writes blocks until a time and returns their number.
func feed(w io.Writer, until time.Time) (n uint64, err error) {
	b := make([]byte, blockSize)
	for {
		if n++; time.Now().After(until) {
			b[0] = lastBlock
		}
		if _, err := w.Write(b); err != nil {
			return n, err
		}
		if b[0] == lastBlock {
			return n, nil
		}
	}
}

// drain reads blocks up to the last one and returns their number.
func drain(r io.Reader) (n uint64, err error) {
	b := make([]byte, blockSize)
	for b[0] != lastBlock {
		if _, err := io.ReadFull(r, b); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
