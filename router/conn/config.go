package conn

import (
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
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

	// TLS is nil for a plain connection. See ServerTLS and ClientTLS.
	TLS *tls.Config

	// SASL says which mechanisms are offered or chosen.
	SASL SASL

	// Limits bound what one peer can make us hold; zero fields have defaults.
	Limits Limits

	// SessionWindow is the incoming window of each session in transfer
	// frames; 0 is 128 MiB worth of frames (8,192 at 16 KiB, compat:).
	SessionWindow uint32

	// HandshakeTimeout limits each of the stages TLS, SASL and Open; 0 is
	// 10 s.
	HandshakeTimeout time.Duration

	// Log gets the connection's debug lines; nil is silence.
	Log *slog.Logger
}

// Defaults of Config.Open.
const (
	DefaultMaxFrameSize uint32 = 65536 // octets
	DefaultChannelMax   uint16 = 32767 // compat: skupper-router 3.x
	DefaultIdleTimeOut  uint32 = 8000  // ms on the wire, compat: skupper-router 3.x
)

// SASL is the security layer's configuration, AMQP 1.0 §5.3.
type SASL struct {
	// Mechanisms are offered by the listening side, in this order; empty is
	// ANONYMOUS without TLS client certificates and EXTERNAL with. The
	// dialing side chooses EXTERNAL when it is offered and there is a client
	// certificate, otherwise ANONYMOUS.
	Mechanisms []amqp.Symbol
	// Required refuses a peer that skips SASL and begins with the AMQP header.
	// It is implied by TLS with client certificates.
	Required bool
}

// Limits bound the memory that one peer can claim.
type Limits struct {
	Sessions   int // begun by the peer; default 256
	Links      int // attached by either side; default 262,144
	Deliveries int // incoming and not settled; default 262,144
	Control    int // bytes of control frames waiting to be written; default 8 MiB
}
