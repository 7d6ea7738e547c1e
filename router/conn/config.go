package conn

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Config says how one connection is run. It is read only.
type Config struct {
	// Open is sent as it is, except that zero values of MaxFrameSize,
	// ChannelMax and IdleTimeOut are replaced by the defaults below. Its
	// MaxFrameSize also bounds the read buffer; IdleTimeOut is what the wire
	// says, half of what is granted (AMQP 1.0 §2.4.5): the peer is given up
	// after twice that time without a byte.
	Open amqp.Open

	// Client is true on the side that dialed: it speaks first.
	Client bool

	// TLS is nil for a plain connection. See Identity.
	TLS *tls.Config

	// PlainToo lets the accepting side with TLS take peers that speak plain
	// AMQP; what comes first tells them apart.
	PlainToo bool

	// SASL says which mechanisms are offered or chosen.
	SASL SASL

	// Limits bound what one peer can make us hold; zero fields have defaults.
	Limits Limits

	// SessionWindow is the incoming window of each session in transfer
	// frames; 0 is 128 MiB worth of frames, at most 8,192 (compat:
	// skupper-router 3.x has 8,192 frames of 16 KiB).
	SessionWindow uint32

	// HandshakeTimeout limits each of the stages TLS, SASL and Open; 0 is
	// 10 s.
	HandshakeTimeout time.Duration

	// HangUp leaves out our Close when the context of Run is done: the peer sees
	// the connection end below AMQP, as when the process ends.
	HangUp bool
	// Dismissal is the error of our Close when the context of Run is done with
	// ErrDismissed as its cause; HangUp does not count then.
	Dismissal *amqp.Error

	// Log gets the connection's debug lines; nil is silence.
	Log *slog.Logger

	// Serial numbers the links of this connection, and of others that share it;
	// nil numbers them by themselves.
	Serial *atomic.Uint64

	// Trace hears of every frame, nil for nobody. See Conn.SetTrace.
	Trace Tracer
}

// Defaults of Config.Open.
const (
	DefaultMaxFrameSize uint32 = 65536 // octets
	DefaultChannelMax   uint16 = 32767 // compat: skupper-router 3.x
	DefaultIdleTimeOut  uint32 = 8000  // ms on the wire, compat: skupper-router 3.x
)

const (
	defaultHandshakeTimeout = 10 * time.Second
	sessionBytes            = 128 << 20 // behind one session window
	maxSessionFrames        = 8192
)

// SASL is the security layer's configuration, AMQP 1.0 §5.3.
type SASL struct {
	// Mechanisms are offered by the listening side, in this order; empty is
	// EXTERNAL with TLS client certificates and ANONYMOUS without. The dialing
	// side chooses EXTERNAL when it is offered and there is a client
	// certificate, otherwise ANONYMOUS; if Mechanisms is not empty, only from
	// those.
	Mechanisms []amqp.Symbol
	// Required refuses a peer that skips SASL and begins with the AMQP header.
	// It is implied by TLS with client certificates.
	Required bool
}

// SASL mechanisms that we know.
const (
	External  amqp.Symbol = "EXTERNAL"
	Anonymous amqp.Symbol = "ANONYMOUS"
)

// Limits bound the memory that one peer can claim.
type Limits struct {
	Sessions   int // begun by the peer; default 1,024
	Links      int // attached by either side; default 262,144
	Deliveries int // incoming and not settled; default 262,144
	Control    int // bytes of control frames waiting to be written; default 32 MiB
}

// withDefaults fills in what is zero.
func (cfg Config) withDefaults() Config {
	cfg.Open.MaxFrameSize = max(amqp.MinMaxFrameSize, cmp.Or(cfg.Open.MaxFrameSize, DefaultMaxFrameSize))
	cfg.Open.ChannelMax = cmp.Or(cfg.Open.ChannelMax, DefaultChannelMax)
	cfg.Open.IdleTimeOut = cmp.Or(cfg.Open.IdleTimeOut, DefaultIdleTimeOut)
	cfg.SessionWindow = max(2, cmp.Or(cfg.SessionWindow, min(maxSessionFrames, sessionBytes/cfg.Open.MaxFrameSize)))
	cfg.HandshakeTimeout = cmp.Or(cfg.HandshakeTimeout, defaultHandshakeTimeout)
	cfg.Limits.Sessions = cmp.Or(cfg.Limits.Sessions, 1024)
	cfg.Limits.Links = cmp.Or(cfg.Limits.Links, 1<<18)
	cfg.Limits.Deliveries = cmp.Or(cfg.Limits.Deliveries, 1<<18)
	cfg.Limits.Control = cmp.Or(cfg.Limits.Control, 32<<20)
	if cfg.Serial == nil {
		cfg.Serial = new(atomic.Uint64)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func (cfg *Config) params() session.Params {
	return session.Params{
		MaxFrameSize: cfg.Open.MaxFrameSize, ChannelMax: cfg.Open.ChannelMax, Window: cfg.SessionWindow,
		Sessions: cfg.Limits.Sessions, Links: cfg.Limits.Links, Deliveries: cfg.Limits.Deliveries, Control: cfg.Limits.Control,
	}
}

// idleTimeout is how long the peer may be silent.
func (cfg *Config) idleTimeout() time.Duration {
	return 2 * time.Duration(cfg.Open.IdleTimeOut) * time.Millisecond
}

// wantsClientCert reports whether the accepting side verifies a certificate of
// the peer.
func (cfg *Config) wantsClientCert() bool {
	return cfg.TLS != nil && cfg.TLS.ClientAuth >= tls.RequireAnyClientCert
}
