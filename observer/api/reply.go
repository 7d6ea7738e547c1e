package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// chunk is how many bytes of an answer are put together before they are sent.
const chunk = 64 << 10

// reply writes a value as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, fmt.Appendf(nil, `{"code":"ErrInternal","message":%q}`, err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to be told
}

// fail writes an error of the API.
func fail(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

func notFound(w http.ResponseWriter) { fail(w, http.StatusNotFound, "ErrNotFound", "") }

// replyPage writes rows of a list of so many, piece by piece: a large list is
// never in memory as a whole a second time.
func replyPage[T any](w http.ResponseWriter, r *http.Request, rows []*T, total int) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return
	}
	var buf bytes.Buffer
	row := json.NewEncoder(&buf)
	buf.WriteString(`{"results":[`)
	for i, one := range rows {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := row.Encode(one); err != nil {
			panic(err) // a record that is no JSON: the answer cannot be finished
		}
		buf.Truncate(buf.Len() - 1) // the line end
		if buf.Len() >= chunk {
			if _, err := w.Write(buf.Bytes()); err != nil {
				return // as above
			}
			buf.Reset()
		}
	}
	fmt.Fprintf(&buf, "],\"count\":%d,\"timeRangeCount\":%d}\n", len(rows), total)
	_, _ = w.Write(buf.Bytes()) // as above
}

// status notes what was answered.
type status struct {
	http.ResponseWriter

	code  int
	bytes int64
}

func (s *status) WriteHeader(code int) {
	if s.code == 0 {
		s.code = code
	}
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Write(p []byte) (int, error) {
	if s.code == 0 {
		s.code = http.StatusOK
	}
	n, err := s.ResponseWriter.Write(p)
	s.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// logged writes a line about every request.
func logged(next http.Handler, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, begun := &status{ResponseWriter: w}, time.Now()
		next.ServeHTTP(s, r)
		o.Log.Info("request", "from", r.RemoteAddr, "user", o.User(r.Context()), "method", r.Method, "path", r.URL.Path,
			"status", max(s.code, 200), "bytes", s.bytes, slog.Duration("took", time.Since(begun)))
	})
}
