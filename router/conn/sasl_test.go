package conn

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// wantError waits for the end of Run and compares its text.
func wantError(t *testing.T, r *running, want string) {
	t.Helper()
	if err := r.stopped(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestServerPlain(t *testing.T) {
	for name, init := range map[string]amqp.SASLInit{
		"with a response":    {Mechanism: Anonymous, InitialResponse: []byte("anonymous@h1")},
		"with an empty one":  {Mechanism: Anonymous, InitialResponse: []byte{}},
		"with a null one":    {Mechanism: Anonymous},
		"with a host's name": {Mechanism: Anonymous, Hostname: "west"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r, s := scripted(t, Config{})
				s.say(amqp.ProtocolHeaderSASL)
				s.wantHeader(amqp.ProtocolHeaderSASL)
				if m := want[*amqp.SASLMechanisms](s); len(m.Mechanisms) != 1 || m.Mechanisms[0] != Anonymous {
					t.Errorf("offered %v", m.Mechanisms)
				}
				s.frame(amqp.FrameSASL, 0, &init)
				if o := want[*amqp.SASLOutcome](s); o.Code != amqp.SASLOK {
					t.Errorf("code %d", o.Code)
				}
				s.say(amqp.ProtocolHeaderAMQP)
				s.wantHeader(amqp.ProtocolHeaderAMQP)
				want[*amqp.Open](s)
				if st := r.State(); st.Mechanism != Anonymous || st.User != "anonymous" {
					t.Errorf("%s, %s", st.Mechanism, st.User)
				}
			})
		})
	}
}

// TestServerPipelined: a client that waits for nothing, octet by octet.
func TestServerPipelined(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := scripted(t, Config{})
		var b []byte
		frame := func(typ uint8, p amqp.Performative) {
			f := p.Append(amqp.AppendFrameHeader(nil, typ, 0))
			amqp.FinishFrame(f)
			b = append(b, f...)
		}
		b = append(b, amqp.ProtocolHeaderSASL...)
		frame(amqp.FrameSASL, &amqp.SASLInit{Mechanism: Anonymous})
		b = append(b, amqp.ProtocolHeaderAMQP...)
		frame(amqp.FrameAMQP, &amqp.Open{ContainerID: "hasty", ChannelMax: 9})
		frame(amqp.FrameAMQP, &amqp.Begin{})
		for _, o := range b {
			s.write(o)
		}
		s.wantHeader(amqp.ProtocolHeaderSASL)
		want[*amqp.SASLMechanisms](s)
		want[*amqp.SASLOutcome](s)
		s.wantHeader(amqp.ProtocolHeaderAMQP)
		want[*amqp.Open](s)
		want[*amqp.Begin](s)
		expect(t, r.owner, "opened hasty")
	})
}

func TestServerWithoutSASL(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := scripted(t, Config{})
		s.say(amqp.ProtocolHeaderAMQP)
		s.send(0, &amqp.Open{ContainerID: "bold", ChannelMax: 9})
		s.wantHeader(amqp.ProtocolHeaderAMQP)
		want[*amqp.Open](s)
		expect(t, r.owner, "opened bold")
		if st := r.State(); st.Mechanism != "" || st.User != "" {
			t.Errorf("%s, %s", st.Mechanism, st.User)
		}
	})
	inBubbleAgain(t, "required", func(t *testing.T) {
		r, s := scripted(t, Config{SASL: SASL{Required: true}})
		s.say(amqp.ProtocolHeaderAMQP)
		if b := s.wantEOF(); string(b) != amqp.ProtocolHeaderSASL {
			t.Errorf("answered %q", b)
		}
		wantError(t, r, "SASL: the peer skips authentication")
	})
}

func inBubbleAgain(t *testing.T, name string, f func(*testing.T)) {
	t.Run(name, func(t *testing.T) { inBubble(t, f) })
}

func TestServerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		first   string
		init    *amqp.SASLInit
		answer  string
		problem string
	}{
		"HTTP":        {first: "GET / HTTP/1.1\r\n\r\n", answer: amqp.ProtocolHeaderSASL, problem: "SASL: the peer does not speak AMQP 1.0"},
		"AMQP 0.9.1":  {first: "AMQP\x00\x00\x09\x01", answer: amqp.ProtocolHeaderSASL, problem: "SASL: the peer does not speak AMQP 1.0"},
		"AMQP's TLS":  {first: amqp.ProtocolHeaderTLS, answer: amqp.ProtocolHeaderSASL, problem: "SASL: the peer does not speak AMQP 1.0"},
		"TLS":         {first: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", problem: "SASL: the peer speaks TLS, but this connection is plain"},
		"EXTERNAL":    {first: amqp.ProtocolHeaderSASL, init: &amqp.SASLInit{Mechanism: External, InitialResponse: []byte{}}, problem: "SASL: the peer asks for EXTERNAL"},
		"PLAIN":       {first: amqp.ProtocolHeaderSASL, init: &amqp.SASLInit{Mechanism: "PLAIN"}, problem: "SASL: the peer asks for PLAIN"},
		"AMQP header": {first: amqp.ProtocolHeaderSASL + amqp.ProtocolHeaderAMQP, answer: "*", problem: "SASL: the peer sent a frame of type 1 and 1095586128 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r, s := scripted(t, Config{})
				s.say(c.first)
				if c.init != nil {
					s.wantHeader(amqp.ProtocolHeaderSASL)
					want[*amqp.SASLMechanisms](s)
					s.frame(amqp.FrameSASL, 0, c.init)
					if o := want[*amqp.SASLOutcome](s); o.Code != amqp.SASLAuth {
						t.Errorf("code %d", o.Code)
					}
				}
				if b := s.wantEOF(); c.answer != "*" && string(b) != c.answer {
					t.Errorf("answered %q", b)
				}
				var e *Error
				if err := r.stopped(); !errors.As(err, &e) || err.Error() != c.problem && name != "AMQP header" {
					t.Errorf("got  %v\nwant %s", err, c.problem)
				}
			})
		})
	}
}

// TestStagesAreLimited: a peer that stops in the middle is gone after 10 s, not
// after 10 s for each octet.
func TestStagesAreLimited(t *testing.T) {
	for name, c := range map[string]struct {
		say     func(*script)
		problem string
	}{
		"says nothing": {func(*script) {}, "SASL: timed out"},
		"half a header": {func(s *script) {
			for _, o := range []byte(amqp.ProtocolHeaderSASL[:7]) {
				s.write(o)
				time.Sleep(time.Second)
			}
		}, "SASL: timed out"},
		"no init": {func(s *script) { s.say(amqp.ProtocolHeaderSASL) }, "SASL: timed out"},
		"no AMQP header": {func(s *script) {
			s.say(amqp.ProtocolHeaderSASL)
			s.frame(amqp.FrameSASL, 0, &amqp.SASLInit{Mechanism: Anonymous})
		}, "open: timed out"},
		"no open": {func(s *script) { s.say(amqp.ProtocolHeaderAMQP) }, "open: timed out"},
		"heartbeats instead of open": {func(s *script) {
			s.say(amqp.ProtocolHeaderAMQP)
			for range 9 {
				s.write(amqp.AppendHeartbeat(nil)...)
				time.Sleep(time.Second)
			}
		}, "open: timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r, s := scripted(t, Config{})
				begin := time.Now()
				c.say(s)
				wantError(t, r, c.problem)
				if d := time.Since(begin); d != 10*time.Second {
					t.Errorf("given up after %v", d)
				}
				expect(t, r.owner, "")
			})
		})
	}
}

// serverScript plays the accepting side up to the client's sasl-init.
func serverScript(t *testing.T, cfg Config, offer ...amqp.Symbol) (*running, *script) {
	t.Helper()
	cfg.Client = true
	r, s := scripted(t, cfg)
	s.wantHeader(amqp.ProtocolHeaderSASL)
	s.say(amqp.ProtocolHeaderSASL)
	s.frame(amqp.FrameSASL, 0, &amqp.SASLMechanisms{Mechanisms: offer})
	return r, s
}

func TestClientPlain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := serverScript(t, Config{}, "SCRAM-SHA-1", "PLAIN", Anonymous, External)
		if init := want[*amqp.SASLInit](s); init.Mechanism != Anonymous || init.Hostname != "" {
			t.Errorf("%+v", init)
		}
		s.frame(amqp.FrameSASL, 0, &amqp.SASLChallenge{Challenge: []byte{}}) // cyrus-sasl may
		if resp := want[*amqp.SASLResponse](s); len(resp.Response) != 0 {
			t.Errorf("%+v", resp)
		}
		_ = s.nc.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := s.nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d octets before the outcome, %v", n, err)
		}
		s.frame(amqp.FrameSASL, 0, &amqp.SASLOutcome{})
		s.wantHeader(amqp.ProtocolHeaderAMQP)
		want[*amqp.Open](s)
		s.say(amqp.ProtocolHeaderAMQP)
		s.send(0, &amqp.Open{ContainerID: "server", ChannelMax: 9})
		expect(t, r.owner, "opened server")
	})
}

func TestClientRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(*script)
		problem string
	}{
		"nothing that fits": {func(s *script) {
			s.say(amqp.ProtocolHeaderSASL)
			s.frame(amqp.FrameSASL, 0, &amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{External, "PLAIN"}})
		}, "SASL: the peer offers only [EXTERNAL PLAIN]"},
		"no mechanisms": {func(s *script) {
			s.say(amqp.ProtocolHeaderSASL)
			s.frame(amqp.FrameSASL, 0, &amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{}})
		}, "SASL: the peer offers only []"},
		"no authentication": {func(s *script) { s.say(amqp.ProtocolHeaderAMQP) }, "SASL: the peer skips authentication"},
		"another protocol":  {func(s *script) { s.say("220 mail.example ESMTP\r\n") }, "SASL: the peer does not speak AMQP 1.0"},
		"refusal": {func(s *script) {
			s.say(amqp.ProtocolHeaderSASL)
			s.frame(amqp.FrameSASL, 0, &amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{Anonymous}})
			want[*amqp.SASLInit](s)
			s.frame(amqp.FrameSASL, 0, &amqp.SASLOutcome{Code: amqp.SASLAuth})
		}, "SASL: the peer refuses to authenticate us (code 1)"},
		"challenges without end": {func(s *script) {
			s.say(amqp.ProtocolHeaderSASL)
			s.frame(amqp.FrameSASL, 0, &amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{Anonymous}})
			want[*amqp.SASLInit](s)
			for range 4 {
				s.frame(amqp.FrameSASL, 0, &amqp.SASLChallenge{Challenge: []byte("?")})
			}
		}, "SASL: the peer challenges without end"},
		"an early end": {func(s *script) { _ = s.nc.Close() }, "SASL: closed by the peer"},
		"a huge frame": {func(s *script) {
			s.say(amqp.ProtocolHeaderSASL)
			s.write(0x7f, 0, 0, 0, 2, 1, 0, 0)
		}, "SASL: the peer sent a frame of type 1 and 2130706432 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r, s := scripted(t, Config{Client: true})
				s.wantHeader(amqp.ProtocolHeaderSASL)
				c.answer(s)
				wantError(t, r, c.problem)
			})
		})
	}
}

// TestInlineWriteWaitsForTheHandshake: what is sent before Run leaves after it.
func TestInlineWriteWaitsForTheHandshake(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := scripted(t, Config{Client: true})
		l := r.StreamLink(false)
		d := l.Send(&outcome{o: r.owner}, false)
		d.Inline = true
		d.WriteBytes([]byte("early"), false)
		_ = s.nc.SetReadDeadline(time.Now().Add(time.Second))
		var b [1000]byte
		n, _ := s.nc.Read(b[:])
		if !bytes.Equal(b[:n], []byte(amqp.ProtocolHeaderSASL)) {
			t.Errorf("%q", b[:n])
		}
	})
}

func TestErrorsHaveStages(t *testing.T) {
	t.Parallel()
	err := &Error{Stage: StageDial, Err: errors.New("connection refused")}
	if !strings.HasPrefix(err.Error(), "dial: ") || (&Error{Err: err.Err}).Error() != "connection refused" {
		t.Error(err)
	}
}
