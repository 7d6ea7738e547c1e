package api

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// worth is from which size on an answer is compressed, bytes.
const worth = 1024

var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one of the package's
	}
	return z
}}

// compress sends answers compressed to whom asks for it, but for those that
// are streams, small, parts, or compressed as they are.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !wantsGzip(r.Header.Values("Accept-Encoding")) || r.Method == http.MethodHead || r.Header.Get("Range") != "" {
			next.ServeHTTP(w, r)
			return
		}
		z := &zipped{ResponseWriter: w}
		defer z.close()
		next.ServeHTTP(z, r)
	})
}

// wantsGzip reads RFC 9110 §12.5.3 as far as it is about gzip.
func wantsGzip(accepted []string) bool {
	for _, one := range strings.Split(strings.Join(accepted, ","), ",") {
		coding, parameters, _ := strings.Cut(one, ";")
		if coding = strings.ToLower(strings.TrimSpace(coding)); coding != "gzip" && coding != "*" {
			continue
		}
		q, ok := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
		if weight, err := strconv.ParseFloat(q, 64); !ok || err == nil && weight > 0 {
			return true
		}
	}
	return false
}

// zipped decides with the first bytes whether to compress.
type zipped struct {
	http.ResponseWriter

	code    int
	decided bool
	first   []byte // what waits for the decision
	z       *gzip.Writer
}

func (z *zipped) WriteHeader(code int) {
	if z.code == 0 {
		z.code = code
	}
	if code == http.StatusNoContent || code == http.StatusNotModified || code >= 100 && code < 200 {
		z.decide(false)
	}
}

func (z *zipped) Write(p []byte) (int, error) {
	if !z.decided {
		z.first = append(z.first, p...)
		if len(z.first) < worth {
			return len(p), nil
		}
		z.decide(true)
		return len(p), z.flushFirst()
	}
	if z.z != nil {
		return z.z.Write(p)
	}
	return z.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController: what is flushed is a stream and is
// sent as it comes.
func (z *zipped) FlushError() error {
	z.decide(false)
	if err := z.flushFirst(); err != nil {
		return err
	}
	if z.z != nil {
		if err := z.z.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(z.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController through.
func (z *zipped) Unwrap() http.ResponseWriter { return z.ResponseWriter }

// decide sends the head.
func (z *zipped) decide(large bool) {
	if z.decided {
		return
	}
	z.decided = true
	h := z.Header()
	if h.Get("Content-Type") == "" && len(z.first) > 0 {
		h.Set("Content-Type", http.DetectContentType(z.first))
	}
	if large && h.Get("Content-Encoding") == "" && compressible(h.Get("Content-Type")) {
		h.Set("Content-Encoding", "gzip")
		h.Del("Content-Length")
		h.Del("Accept-Ranges")
		if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
			h.Set("ETag", "W/"+tag) // the bytes are others
		}
		z.z = zippers.Get().(*gzip.Writer)
		z.z.Reset(z.ResponseWriter)
	}
	if z.code != 0 {
		z.ResponseWriter.WriteHeader(z.code)
	}
}

func compressible(contentType string) bool {
	for _, prefix := range []string{"application/json", "application/yaml", "application/javascript", "application/openmetrics-text", "text/", "image/svg+xml"} {
		if strings.HasPrefix(contentType, prefix) {
			return contentType != "text/event-stream"
		}
	}
	return false
}

func (z *zipped) flushFirst() (err error) {
	if first := z.first; len(first) > 0 {
		z.first = nil
		_, err = z.Write(first)
	}
	return err
}

func (z *zipped) close() {
	z.decide(false)
	_ = z.flushFirst() // the client is gone: nobody is left to be told
	if z.z != nil {
		_ = z.z.Close() // as above
		zippers.Put(z.z)
	}
}
