package collect

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/vanflow"
)

// TestSources plays what happens to a source, second by second.
func TestSources(t *testing.T) {
	t.Parallel()
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	const id = "abcde:0"
	for _, tt := range []struct {
		name string
		run  func(s *sources, say func(format string, args ...any))
		want []string
	}{
		{"asked when it is first heard", func(s *sources, say func(string, ...any)) {
			_, flush := s.heard(at(1), id, true, false)
			say("1 %v", flush)
			_, flush = s.heard(at(2), id, false, true)
			say("2 %v", flush)
			say("8 %v", s.tick(at(8)))
		}, []string{"1 true", "2 false", "8 {[] []}"}},
		{"asked when it says nothing", func(s *sources, say func(string, ...any)) {
			say("4 %v", s.tick(at(4)))
			say("5 %v", s.tick(at(5)))
			say("6 %v", s.tick(at(6)))
			say("7 %v", s.tick(at(7)))
			say("59 %v", s.tick(at(59)).Forget)
			say("60 %v", s.tick(at(60)).Forget)
			known, fresh := s.beacon(at(61), id, vanflow.SourceRouter)
			say("61 %v %v", known, fresh)
		}, []string{"4 {[] []}", "5 {[abcde:0] []}", "6 {[] []}", "7 {[abcde:0] []}", "59 []", "60 [abcde:0]", "61 true true"}},
		{"asked again while it does not answer", func(s *sources, say func(string, ...any)) {
			s.heard(at(0), id, true, false)
			for i := 1; i < 20; i++ {
				if a := s.tick(at(float64(i))); len(a.Flush) > 0 {
					say("%d", i)
				}
				_, flush := s.heard(at(float64(i)), id, i%2 == 0, false)
				if flush {
					say("%d heard", i)
				}
			}
		}, []string{"2", "6", "14"}},
		{"asked again when heartbeats are missing", func(s *sources, say func(string, ...any)) {
			s.heard(at(0), id, true, true)
			s.heard(at(0.1), id, false, true)
			missing, flush := s.heard(at(4), id, true, false)
			say("4 %d %v", missing, flush)
			missing, flush = s.heard(at(14), id, true, false)
			say("14 %d %v", missing, flush)
		}, []string{"4 0 false", "14 4 true"}},
		{"given up after silence", func(s *sources, say func(string, ...any)) {
			s.heard(at(1), id, false, true)
			s.beacon(at(20), id, vanflow.SourceRouter) // does not count
			say("30 %v", s.tick(at(30)).Forget)
			say("31 %v", s.tick(at(31)).Forget)
			_, flush := s.heard(at(32), id, true, true)
			say("32 %v", flush)
		}, []string{"30 []", "31 [abcde:0]", "32 false"}},
		{"a lost router costs nobody", func(s *sources, say func(string, ...any)) {
			s.heard(at(1), id, true, true)
			s.heard(at(1), id, false, true)
			say("%d", len(s.attached(at(300))))
			say("301 %v", s.tick(at(301)).Forget)
			missing, flush := s.heard(at(302), id, true, false)
			say("302 %d %v", missing, flush)
		}, []string{"1", "301 []", "302 0 true"}},
		{"asked on behalf of the network", func(s *sources, say func(string, ...any)) {
			s.heard(at(1), id, true, false)
			s.heard(at(1), id, false, true)
			s.flush(at(9), []string{id, "nobody"})
			say("9 %v", s.tick(at(9)).Flush)
			say("10 %v", s.tick(at(10)).Flush)
		}, []string{"9 [abcde:0]", "10 []"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &sources{all: map[string]*peer{}, max: 1}
			if known, fresh := s.beacon(at(0), id, vanflow.SourceRouter); !known || !fresh {
				t.Fatal("not known")
			}
			if known, _ := s.beacon(at(0), "other:0", vanflow.SourceRouter); known {
				t.Error("more sources than may be")
			}
			var got []string
			tt.run(s, func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"amqp://a":               "tcp a:5672",
		"amqps://skupper-router": "tcp skupper-router:5671",
		"amqps://[::1]:99":       "tcp [::1]:99",
		"unix:/run/r.sock":       "unix /run/r.sock",
		"unix:///run/r.sock":     "unix /run/r.sock",
	} {
		e, err := ParseEndpoint(text, Certificates{})
		if got := e.Network + " " + e.Address; err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
		if tls := e.TLS != nil; tls != (text[:5] == "amqps") || e.External {
			t.Errorf("%s: TLS %v", text, tls)
		}
	}
	for _, text := range []string{"", "unix:", "host:5672", "http://a", "amqp://", "amqp://a:b:c"} {
		if e, err := ParseEndpoint(text, Certificates{}); err == nil {
			t.Errorf("%q is %v", text, e)
		}
	}
	for _, c := range []Certificates{{Cert: "x"}, {Cert: "x", Key: "y"}, {CA: "/nonexistent"}} {
		if _, err := ParseEndpoint("amqps://a", c); err == nil {
			t.Errorf("%+v", c)
		}
	}
	if !slices.Equal([]string{Endpoint{}.String()}, []string{"?"}) {
		t.Error("an endpoint without address")
	}
}
