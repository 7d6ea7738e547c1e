package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// maxSASLFrame bounds a SASL frame in octets. AMQP 1.0 §5.3.1 says 512; lists
// of mechanisms that are longer have been seen.
const maxSASLFrame = 4096

// maxChallenges is how many empty challenges are answered (compat: cyrus-sasl
// sends one when the initial response of EXTERNAL is missing).
const maxChallenges = 3

var (
	errNotAMQP   = errors.New("the peer does not speak AMQP 1.0")
	errPlainPeer = errors.New("the peer speaks TLS, but this connection is plain")
	errSkipped   = errors.New("the peer skips authentication")
)

// handshake performs TLS and SASL and leaves the wire ready for frames: our
// AMQP header is put, and on the accepting side the peer's is read.
func (c *Conn) handshake(ctx context.Context) *Error {
	interrupted := make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = c.wire.nc.SetDeadline(time.Unix(1, 0))
	})
	stage, err := c.handshakeStages(ctx)
	if !release() {
		<-interrupted
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if remoteAlert(err) != "" {
			stage = StageTLS // with TLS 1.3 a server judges our certificate after our handshake
		}
		return &Error{Stage: stage, Err: InWords(err)}
	}
	_ = c.wire.nc.SetDeadline(time.Time{})
	c.wire.cork.close()
	c.traceHeader(traceOut, amqp.ProtocolHeaderAMQP)
	_ = c.wire.put([]byte(amqp.ProtocolHeaderAMQP)) // leaves with our Open
	c.inbox.heard.Store(c.clock())
	return nil
}

func (c *Conn) handshakeStages(ctx context.Context) (Stage, error) {
	if c.cfg.TLS != nil {
		if err := c.handshakeTLS(ctx); err != nil {
			return StageTLS, err
		}
	}
	c.stageDeadline(ctx)
	if c.cfg.Client {
		return StageSASL, c.saslClient()
	}
	skipped, err := c.saslServer()
	if err != nil || skipped {
		return StageSASL, err
	}
	c.stageDeadline(ctx)
	h, err := c.nextHeader()
	if err == nil && h != amqp.ProtocolHeaderAMQP {
		err = errNotAMQP
	}
	return StageOpen, err
}

// stageDeadline limits the next stage. It does not undo the end of ctx.
func (c *Conn) stageDeadline(ctx context.Context) {
	_ = c.wire.nc.SetDeadline(time.Now().Add(c.cfg.HandshakeTimeout))
	if ctx.Err() != nil {
		_ = c.wire.nc.SetDeadline(time.Unix(1, 0))
	}
}

// plain reports whether the peer begins with a header of AMQP, where that is
// taken instead of TLS.
func (c *Conn) plain() (bool, error) {
	if c.cfg.Client || !c.cfg.PlainToo {
		return false, nil
	}
	b, err := c.need(len("AMQP"))
	if err != nil {
		return false, err
	}
	if string(b) == "AMQP" {
		return true, nil
	}
	b = c.inbox.unread()
	c.wire.cork.head = append([]byte(nil), b...)
	c.inbox.drop(len(b))
	return false, nil
}

func (c *Conn) handshakeTLS(ctx context.Context) error {
	if plain, err := c.plain(); plain || err != nil {
		return err
	}
	if c.cfg.Client {
		c.wire.tls = tls.Client(&c.wire.cork, c.cfg.TLS)
	} else {
		c.wire.tls = tls.Server(&c.wire.cork, c.cfg.TLS)
	}
	limited, cancel := context.WithTimeout(ctx, c.cfg.HandshakeTimeout)
	defer cancel()
	if err := c.wire.tls.HandshakeContext(limited); err != nil {
		return err
	}
	state := c.wire.tls.ConnectionState()
	c.mu.Lock()
	c.wire.state = &state
	c.mu.Unlock()
	return nil
}

// readHeader takes the peer's AMQP header on the dialing side, where ours goes
// out first.
func (c *Conn) readHeader() *Error {
	if !c.cfg.Client {
		return nil
	}
	h, err := c.nextHeader()
	if err == nil && h != amqp.ProtocolHeaderAMQP {
		err = errNotAMQP
	}
	if err != nil {
		return &Error{Err: err}
	}
	return nil
}

// need reads until n octets are there, and returns them without taking them.
func (c *Conn) need(n int) ([]byte, error) {
	for len(c.inbox.unread()) < n {
		if err := c.fill(n); err != nil {
			return nil, err
		}
	}
	return c.inbox.unread()[:n], nil
}

// nextHeader takes a protocol header. The first octets of TLS are told apart,
// for the sake of a better message.
func (c *Conn) nextHeader() (string, error) {
	b, err := c.need(len(amqp.ProtocolHeaderAMQP))
	if err != nil {
		return "", err
	}
	c.inbox.drop(len(b))
	switch {
	case b[0] == 22 && b[1] == 3 && c.wire.tls == nil:
		return "", errPlainPeer
	case string(b[:4]) != amqp.ProtocolHeaderAMQP[:4]:
		return "", errNotAMQP
	}
	c.traceHeader(traceIn, string(b))
	return string(b), nil
}

// say writes octets of the handshake at once.
func (c *Conn) say(b []byte) error {
	c.bytesOut.Add(uint64(len(b)))
	c.traceSaid(b)
	if c.wire.tls != nil {
		_, err := c.wire.tls.Write(b)
		return err
	}
	_, err := c.wire.nc.Write(b)
	return err
}

func (c *Conn) saySASL(dst []byte, p amqp.Performative) error {
	start := len(dst)
	dst = p.Append(amqp.AppendFrameHeader(dst, amqp.FrameSASL, 0))
	amqp.FinishFrame(dst[start:])
	return c.say(dst)
}

// hearSASL takes one SASL frame.
func (c *Conn) hearSASL() (amqp.Performative, error) {
	b, err := c.need(amqp.FrameHeaderSize)
	if err != nil {
		return nil, err
	}
	h, err := amqp.ParseFrameHeader(b)
	if err != nil {
		return nil, err
	}
	if h.Type != amqp.FrameSASL || h.Size > maxSASLFrame {
		return nil, fmt.Errorf("the peer sent a frame of type %d and %d octets", h.Type, h.Size)
	}
	if b, err = c.need(int(h.Size)); err != nil {
		return nil, err
	}
	c.traceFrames(traceIn, b)
	p, _, err := amqp.DecodePerformative(b[h.BodyOffset():])
	c.inbox.drop(int(h.Size))
	return p, err
}

// saslClient authenticates us, AMQP 1.0 §5.3.2. Nothing is sent before its
// turn.
func (c *Conn) saslClient() error {
	if err := c.say([]byte(amqp.ProtocolHeaderSASL)); err != nil {
		return err
	}
	switch h, err := c.nextHeader(); {
	case err != nil:
		return err
	case h == amqp.ProtocolHeaderAMQP:
		return errSkipped
	case h != amqp.ProtocolHeaderSASL:
		return errNotAMQP
	}
	p, err := c.hearSASL()
	if err != nil {
		return err
	}
	offer, ok := p.(*amqp.SASLMechanisms)
	if !ok {
		return fmt.Errorf("the peer sent %T instead of its mechanisms", p)
	}
	init, err := c.chooseMechanism(offer.Mechanisms)
	if err != nil {
		return err
	}
	if err := c.saySASL(nil, init); err != nil {
		return err
	}
	if err := c.saslOutcome(); err != nil {
		return err
	}
	c.identified(init.Mechanism)
	return nil
}

// chooseMechanism makes the sasl-init. An empty response that is present is
// what EXTERNAL wants; text is what ANONYMOUS takes.
func (c *Conn) chooseMechanism(offered []amqp.Symbol) (*amqp.SASLInit, error) {
	may := func(m amqp.Symbol) bool {
		return slices.Contains(offered, m) && (len(c.cfg.SASL.Mechanisms) == 0 || slices.Contains(c.cfg.SASL.Mechanisms, m))
	}
	switch {
	case may(External) && c.hasCertificate():
		return &amqp.SASLInit{Mechanism: External, InitialResponse: []byte{}}, nil
	case may(Anonymous):
		return &amqp.SASLInit{Mechanism: Anonymous, InitialResponse: []byte("anonymous")}, nil
	}
	return nil, fmt.Errorf("the peer offers only %v", offered)
}

func (c *Conn) hasCertificate() bool {
	return c.cfg.TLS != nil && (len(c.cfg.TLS.Certificates) > 0 || c.cfg.TLS.GetClientCertificate != nil)
}

func (c *Conn) saslOutcome() error {
	for range maxChallenges + 1 {
		p, err := c.hearSASL()
		if err != nil {
			return err
		}
		switch p := p.(type) {
		case *amqp.SASLChallenge:
			if err := c.saySASL(nil, &amqp.SASLResponse{Response: []byte{}}); err != nil {
				return err
			}
		case *amqp.SASLOutcome:
			if p.Code != amqp.SASLOK {
				return fmt.Errorf("the peer refuses to authenticate us (code %d)", p.Code)
			}
			return nil
		default:
			return fmt.Errorf("the peer sent %T instead of an outcome", p)
		}
	}
	return errors.New("the peer challenges without end")
}

// saslServer authenticates the peer. skipped tells that it began with the AMQP
// header instead, where that is tolerated.
func (c *Conn) saslServer() (skipped bool, err error) {
	h, err := c.nextHeader()
	if err != nil {
		if errors.Is(err, errNotAMQP) {
			_ = c.say([]byte(amqp.ProtocolHeaderSASL)) // AMQP 1.0 §2.2: say what is supported, then close
		}
		return false, err
	}
	required := c.cfg.SASL.Required || c.cfg.wantsClientCert()
	switch {
	case h == amqp.ProtocolHeaderAMQP && !required:
		return true, nil
	case h != amqp.ProtocolHeaderSASL:
		_ = c.say([]byte(amqp.ProtocolHeaderSASL))
		if h == amqp.ProtocolHeaderAMQP {
			return false, errSkipped
		}
		return false, errNotAMQP
	}
	offered := c.offered()
	if err := c.saySASL([]byte(amqp.ProtocolHeaderSASL), &amqp.SASLMechanisms{Mechanisms: offered}); err != nil {
		return false, err
	}
	p, err := c.hearSASL()
	if err != nil {
		return false, err
	}
	init, ok := p.(*amqp.SASLInit)
	if !ok {
		return false, fmt.Errorf("the peer sent %T instead of its choice", p)
	}
	if !slices.Contains(offered, init.Mechanism) || init.Mechanism == External && c.certificate() == nil {
		_ = c.saySASL(nil, &amqp.SASLOutcome{Code: amqp.SASLAuth})
		return false, fmt.Errorf("the peer asks for %s", init.Mechanism)
	}
	if err := c.saySASL(nil, &amqp.SASLOutcome{Code: amqp.SASLOK}); err != nil {
		return false, err
	}
	c.identified(init.Mechanism)
	return false, nil
}

func (c *Conn) offered() []amqp.Symbol {
	switch {
	case len(c.cfg.SASL.Mechanisms) > 0:
		return c.cfg.SASL.Mechanisms
	case c.cfg.wantsClientCert():
		return []amqp.Symbol{External}
	}
	return []amqp.Symbol{Anonymous}
}

// identified notes who the peer is.
func (c *Conn) identified(mechanism amqp.Symbol) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mechanism = mechanism
	if cert := c.certificate(); cert != nil {
		c.user = cert.Subject.String()
	} else if mechanism == Anonymous {
		c.user = "anonymous"
	}
}

// certificate is that of the peer, nil without. On the accepting side it must
// be verified.
func (c *Conn) certificate() *x509.Certificate {
	switch state := c.wire.state; {
	case state == nil || len(state.PeerCertificates) == 0:
	case c.cfg.Client || len(state.VerifiedChains) > 0:
		return state.PeerCertificates[0]
	}
	return nil
}
