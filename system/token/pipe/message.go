package pipe

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/skupper-host/skupper/system/token"
)

// Bounds of the protocol.
const (
	maxAsk    = 128 << 10       // bytes of a question: what an HTTP request can hold, its path twice, in base64
	maxTell   = 1 << 20         // bytes of an answer
	maxOpen   = 64              // questions that wait for their answer
	writeTime = 5 * time.Second // until the other side has to take a message
	readyTime = 10 * time.Second
)

// errMessage is wrapped by errors about what the other side says.
var errMessage = errors.New("not a message of the grant server's pipe")

// ask is what the process that faces the network says: one of Ready, Cancel and a
// question, which is a Claim or a Renewal.
type ask struct {
	ID      uint64   `json:"id,omitempty"` // of a question: any number that no open one has
	Ready   bool     `json:"ready,omitempty"`
	Claim   *claim   `json:"claim,omitempty"`
	Renewal *renewal `json:"renewal,omitempty"`
	Cancel  bool     `json:"cancel,omitempty"` // nobody waits for the answer; there is one all the same
}

// maxFrom bounds the text of an IP address, bytes: there may be a zone in it.
const maxFrom = 64

// isAddress reports whether somebody may ask from there: failures are counted and
// remembered by it.
func isAddress(from string) bool {
	_, err := netip.ParseAddr(from)
	return err == nil && len(from) <= maxFrom
}

// claim is a token.Claim. What a stranger has chosen are bytes: it need not be
// text.
type claim struct {
	From      string `json:"from"`
	Grant     []byte `json:"grant,omitempty"`
	Code      []byte `json:"code,omitempty"`
	Name      []byte `json:"name,omitempty"`
	Subject   []byte `json:"subject,omitempty"`
	Namespace []byte `json:"namespace,omitempty"`
	Key       []byte `json:"key,omitempty"`
}

func claimOf(c token.Claim) *claim {
	return &claim{
		From: c.From, Grant: []byte(c.Grant), Code: []byte(c.Code), Name: []byte(c.Name), Subject: []byte(c.Subject),
		Namespace: []byte(c.Key.Namespace), Key: []byte(c.Key.Name),
	}
}

func (c *claim) token() token.Claim {
	return token.Claim{
		From: c.From, Grant: string(c.Grant), Code: string(c.Code), Name: string(c.Name), Subject: string(c.Subject),
		Key: token.GrantKey{Namespace: string(c.Namespace), Name: string(c.Key)},
	}
}

// renewal is a token.Renewal.
type renewal struct {
	From        string `json:"from"`
	Certificate []byte `json:"certificate,omitempty"`
	Request     []byte `json:"request,omitempty"`
	SameKey     bool   `json:"same-key,omitempty"`
	Proof       []byte `json:"proof,omitempty"`
}

// tell is what the agent says: the certificate to show, or the answer to a question.
type tell struct {
	ID        uint64    `json:"id,omitempty"`
	Identity  *Identity `json:"identity,omitempty"`
	Documents []byte    `json:"documents,omitempty"`
	Status    int       `json:"status,omitempty"` // of a refusal
	Text      string    `json:"text,omitempty"`
}

// Identity is a certificate with its chain, and its key, in PEM.
type Identity struct {
	Cert []byte `json:"cert"`
	Key  []byte `json:"key"`
}

// readAsk reads a question and refuses what is none. The error is io.EOF where
// the other side has ended between two.
func readAsk(r io.Reader) (ask, error) {
	var a ask
	if err := read(r, maxAsk, &a); err != nil {
		return ask{}, err
	}
	kinds := 0
	for _, is := range []bool{a.Ready, a.Claim != nil, a.Renewal != nil, a.Cancel} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		return ask{}, fmt.Errorf("%w: it is %d things at once", errMessage, kinds)
	}
	if a.Claim != nil && !isAddress(a.Claim.From) || a.Renewal != nil && !isAddress(a.Renewal.From) {
		return ask{}, fmt.Errorf("%w: a question from no address", errMessage)
	}
	return a, nil
}

// read reads one message of so many bytes at most.
func read(r io.Reader, limit uint32, into any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > limit {
		return fmt.Errorf("%w: %d bytes, and %d are allowed", errMessage, size, limit)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return noEOF(err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %v", errMessage, err) // its end is not that of the pipe
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows it", errMessage)
	}
	return nil
}

// noEOF has a message that is cut off not look like the end between two.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// encode is a message as it is written. A text that is not UTF-8 is changed.
func encode(limit int, message any) ([]byte, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if len(body) > limit {
		return nil, fmt.Errorf("%w: %d bytes, and %d are allowed", errMessage, len(body), limit)
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...), nil
}

// send writes a message, and all of it or nothing that is of use: an error ends
// the connection. One goroutine at a time may send.
func send(conn net.Conn, frame []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := conn.Write(frame)
	return err
}
