package linkstate

import (
	"errors"
	"fmt"
	"math"

	"github.com/skupper-host/skupper/router/amqp"
)

// body is a routing message as received. Which fields count depends on op.
type body struct {
	op          Opcode
	id          string
	version     int64
	instance    int64
	hasInstance bool

	seen []string // HELLO

	lsSeq     int64    // RA, LSU
	mobileSeq int64    // RA, MAU
	peers     []peer   // LSU
	age       int64    // LSU, of a copy, in seconds
	floods    bool     // LSU, of a copy: the router floods
	digests   []digest // RA: known; LSR: want

	haveSeq int64 // MAR

	absolute bool        // MAU
	exist    []announced // MAU, the addresses of an absolute or added by a differential one
	removed  []string    // MAU, differential
}

// errForeign is not an error of the sender: the message is of another kind
// than routing messages.
var errForeign = errors.New("not a routing message")

// decode reads the sections of a routing message. It is as tolerant as
// skupper-router 3.x: keys may be strings or symbols, integers of any integer
// type, the header may be absent, "pv" and "instance" as well. If the version
// is higher than ours, everything but id and version is left out.
func decode(sections []byte) (body, error) {
	m, err := amqp.ParseMessage(sections)
	if err != nil {
		return body{}, err
	}
	op, ok := text(m.ApplicationProperties.Get("opcode"))
	fields, isMap := m.Value.(amqp.Map)
	if !ok || !isMap {
		return body{}, errForeign
	}
	b := body{op: Opcode(op)}
	supported := int64(protocolVersion)
	switch b.op {
	case HELLO, RA, LSR, LSU:
	case MAR, MAU:
		supported = addressProtocolVersion
	default:
		return body{}, errForeign
	}
	if b.id, ok = text(fields.Get("id")); !ok || !validID(b.id) {
		return b, fmt.Errorf("%s: id: want a router id", b.op)
	}
	if b.version, err = optional(fields, "pv"); err != nil || b.version > supported {
		return b, err
	}
	b.hasInstance = fields.Get("instance") != nil
	if b.instance, err = optional(fields, "instance"); err != nil {
		return b, err
	}
	return b, b.decodeFields(fields)
}

func (b *body) decodeFields(fields amqp.Map) (err error) {
	switch b.op {
	case HELLO:
		list, ok := fields.Get("seen").(amqp.List)
		if !ok {
			return errors.New("HELLO: seen: want a list")
		}
		for _, v := range list {
			if s, ok := text(v); ok {
				b.seen = append(b.seen, s)
			}
		}
		return nil
	case RA:
		if b.lsSeq, err = mandatory(fields, "ls_seq"); err != nil {
			return err
		}
		if b.mobileSeq, err = mandatory(fields, "mobile_seq"); err != nil {
			return err
		}
		b.digests, err = decodeDigests(fields.Get("known"))
		return err
	case LSR:
		b.digests, err = decodeDigests(fields.Get("want"))
		return err
	case LSU:
		return b.decodeLinkState(fields)
	case MAR:
		b.haveSeq, err = mandatory(fields, "have_seq")
		return err
	case MAU:
		return b.decodeAddresses(fields)
	}
	return nil
}

func (b *body) decodeLinkState(fields amqp.Map) (err error) {
	if b.age, err = optional(fields, "age"); err != nil || b.age < 0 {
		return errors.New("LSU: age: want a number")
	}
	b.floods, _ = fields.Get("floods").(bool)
	if _, err = mandatory(fields, "ls_seq"); err != nil {
		return err
	}
	ls, ok := fields.Get("ls").(amqp.Map)
	if !ok {
		return errors.New("LSU: ls: want a map")
	}
	if _, ok := text(ls.Get("id")); !ok {
		return errors.New("LSU: ls: id: want a router id")
	}
	if b.lsSeq, err = mandatory(ls, "ls_seq"); err != nil {
		return err
	}
	peers, ok := ls.Get("peers").(amqp.Map)
	if !ok {
		return errors.New("LSU: ls: peers: want a map")
	}
	for i := range peers {
		id, ok := text(peers[i].Key)
		cost, isInteger := whole(peers[i].Value)
		if !ok || !isInteger {
			return errors.New("LSU: ls: peers: want costs by router id")
		}
		if !validID(id) {
			continue // whoever that is, the others are neighbors all the same
		}
		b.peers = append(b.peers, peer{id: id, cost: int32(min(max(cost, 1), math.MaxInt32))})
	}
	return nil
}

func (b *body) decodeAddresses(fields amqp.Map) (err error) {
	if b.mobileSeq, err = mandatory(fields, "mobile_seq"); err != nil {
		return err
	}
	exist, add, del := fields.Get("exist"), fields.Get("add"), fields.Get("del")
	switch {
	case exist != nil && add == nil && del == nil:
		b.absolute = true
		b.exist, err = descriptors(exist)
		return err
	case exist == nil && add != nil && del != nil:
		if b.exist, err = descriptors(add); err != nil {
			return err
		}
		gone, err := descriptors(del)
		for _, a := range gone {
			b.removed = append(b.removed, a.key)
		}
		return err
	}
	return errors.New("MAU: want either exist, or add and del")
}

// descriptors reads a list of address descriptors. Those without a usable hash
// key are left out, as are classes that are not announced.
func descriptors(v any) ([]announced, error) {
	list, ok := v.(amqp.List)
	if !ok {
		return nil, errors.New("MAU: want lists of addresses")
	}
	all := make([]announced, 0, len(list))
	for _, e := range list {
		if l, ok := e.(amqp.List); ok && len(l) > 0 {
			if a, ok := descriptor(l); ok {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

func descriptor(l amqp.List) (announced, bool) {
	a := announced{Attributes: Attributes{Treatment: NoTreatment}}
	key, ok := text(l[0])
	if !ok || !validKey(key) {
		return a, false
	}
	a.key = key
	if len(l) > 1 {
		if v, ok := whole(l[1]); ok && v >= 0 && v <= math.MaxInt32 {
			a.Treatment = int32(v)
		}
	}
	if len(l) > 2 {
		if v, ok := whole(l[2]); ok {
			a.Producers = int32(min(max(v, 0), math.MaxInt32))
		}
	}
	if len(l) > 4 {
		a.Mesh, _ = text(l[4])
	}
	return a, true
}

// mandatory reads a sequence number.
func mandatory(m amqp.Map, key string) (int64, error) {
	v, ok := whole(m.Get(key))
	if !ok || v < 0 {
		return 0, fmt.Errorf("%s: want a number", key)
	}
	return v, nil
}

// optional reads any number, 0 if there is none.
func optional(m amqp.Map, key string) (int64, error) {
	v := m.Get(key)
	n, ok := whole(v)
	if v != nil && !ok {
		return 0, fmt.Errorf("%s: want a number", key)
	}
	return n, nil
}

// whole is the value of any AMQP integer that fits. Booleans, floating point
// numbers and timestamps are none.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint64:
		return int64(v), v <= math.MaxInt64
	}
	return 0, false
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case amqp.Symbol:
		return string(v), true
	}
	return "", false
}

// maxIDLength bounds router ids and maxKeyLength hash keys, in octets.
const (
	maxIDLength  = 255
	maxKeyLength = 4096
)

// validID tells whether id can stand in an address: no slash, white space or
// control character, and not the word that addresses every router.
func validID(id string) bool {
	if id == "" || id == "all" || len(id) > maxIDLength {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c == '/' || c == 0x7f {
			return false
		}
	}
	return true
}

// validKey tells whether key is a hash key that routers announce: of a mobile
// address, an edge router or a network.
func validKey(key string) bool {
	if len(key) < 2 || len(key) > maxKeyLength {
		return false
	}
	switch key[0] {
	case 'M', 'H', 'N':
		return true
	}
	return false
}
