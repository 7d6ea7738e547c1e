package linkstate

import (
	"math"

	"github.com/skupper-host/skupper/router/amqp"
)

// Opcode names a routing message.
type Opcode string

// The routing messages of skupper-router 3.x.
const (
	HELLO Opcode = "HELLO" // to the neighbors: who is heard
	RA    Opcode = "RA"    // to all: sequence numbers of this router
	LSR   Opcode = "LSR"   // to one: send your link state
	LSU   Opcode = "LSU"   // to one or to all: link state
	MAR   Opcode = "MAR"   // to one: send your addresses
	MAU   Opcode = "MAU"   // to all: changed addresses; to one: all addresses
)

// Highest protocol versions understood, compat: skupper-router 3.x.
const (
	protocolVersion        = 1 // HELLO, RA, LSR, LSU
	addressProtocolVersion = 2 // MAR, MAU
)

const area = "0" // the only one there is

// Addresses of routing messages, compat: skupper-router 3.x writes the leading
// "amqp:/" in all of them except that of a differential MAU.
const (
	toNeighbors    = "amqp:/_local/qdhello"
	toAll          = "amqp:/_topo/0/all/qdrouter"
	toAllAddresses = "_topo/0/all/qdrouter.ma"
)

func toRouter(id string) string          { return "amqp:/_topo/0/" + id + "/qdrouter" }
func toRouterAddresses(id string) string { return "amqp:/_topo/0/" + id + "/qdrouter.ma" }

// compose appends the sections of HELLO, RA, LSR and LSU. compat: keys are
// strings and the properties have six fields.
func compose(to string, op Opcode, body amqp.Map) []byte {
	m := amqp.Message{
		Header:                &amqp.Header{},
		Properties:            &amqp.Properties{To: to},
		ApplicationProperties: amqp.Map{{Key: "opcode", Value: string(op)}},
		Kind:                  amqp.BodyValue,
		Value:                 body,
	}
	return m.AppendWide(nil, 6)
}

// composeAddresses appends the sections of MAR and MAU. compat: keys are
// symbols and the properties have three fields.
func composeAddresses(to string, op Opcode, body amqp.Map) []byte {
	m := amqp.Message{
		Header:                &amqp.Header{},
		Properties:            &amqp.Properties{To: to},
		ApplicationProperties: amqp.Map{{Key: amqp.Symbol("opcode"), Value: string(op)}},
		Kind:                  amqp.BodyValue,
		Value:                 body,
	}
	return m.AppendWide(nil, 3)
}

// integer is an AMQP int, or a long if it does not fit.
func integer(v int64) any {
	if v >= math.MinInt32 && v <= math.MaxInt32 {
		return int32(v)
	}
	return v
}

func composeHello(id string, instance int64, seen []string) []byte {
	var list amqp.List // nil is list0, as Python writes it
	for _, s := range seen {
		list = append(list, s)
	}
	return compose(toNeighbors, HELLO, amqp.Map{
		{Key: "id", Value: id},
		{Key: "pv", Value: int32(protocolVersion)},
		{Key: "area", Value: area},
		{Key: "instance", Value: integer(instance)},
		{Key: "seen", Value: list},
	})
}

func composeRA(to, id string, instance, lsSeq, mobileSeq int64) []byte {
	return compose(to, RA, amqp.Map{
		{Key: "id", Value: id},
		{Key: "pv", Value: int32(protocolVersion)},
		{Key: "area", Value: area},
		{Key: "instance", Value: integer(instance)},
		{Key: "ls_seq", Value: integer(lsSeq)},
		{Key: "mobile_seq", Value: integer(mobileSeq)},
	})
}

// peer is an entry of a link state on the wire.
type peer struct {
	id   string
	cost int32
}

func composeLSU(to, id string, instance, lsSeq int64, peers []peer) []byte {
	return compose(to, LSU, linkStateBody(id, instance, lsSeq, peers))
}

func linkStateBody(id string, instance, lsSeq int64, peers []peer) amqp.Map {
	m := amqp.Map{}
	for _, p := range peers {
		m = append(m, amqp.Pair{Key: p.id, Value: p.cost})
	}
	return amqp.Map{
		{Key: "id", Value: id},
		{Key: "pv", Value: int32(protocolVersion)},
		{Key: "area", Value: area},
		{Key: "instance", Value: integer(instance)},
		{Key: "ls_seq", Value: integer(lsSeq)},
		{Key: "ls", Value: amqp.Map{
			{Key: "id", Value: id},
			{Key: "area", Value: area},
			{Key: "ls_seq", Value: integer(lsSeq)},
			{Key: "peers", Value: m},
		}},
	}
}

func composeLSR(to, id string) []byte {
	return compose(to, LSR, amqp.Map{
		{Key: "id", Value: id},
		{Key: "pv", Value: int32(protocolVersion)},
		{Key: "area", Value: area},
	})
}

// addressBody begins the body of MAR and MAU.
func addressBody(id string) amqp.Map {
	return amqp.Map{
		{Key: amqp.Symbol("id"), Value: id},
		{Key: amqp.Symbol("pv"), Value: int64(addressProtocolVersion)},
		{Key: amqp.Symbol("area"), Value: area},
	}
}

func composeMAR(to, id string, have int64) []byte {
	return composeAddresses(to, MAR, append(addressBody(id), amqp.Pair{Key: amqp.Symbol("have_seq"), Value: have}))
}

// announced is an address with what is said about it.
type announced struct {
	key string
	Attributes
}

func composeAbsoluteMAU(to, id string, seq int64, exist []announced) []byte {
	list := make(amqp.List, 0, len(exist))
	for _, a := range exist {
		list = append(list, a.descriptor())
	}
	return composeAddresses(to, MAU, append(addressBody(id),
		amqp.Pair{Key: amqp.Symbol("mobile_seq"), Value: seq},
		amqp.Pair{Key: amqp.Symbol("exist"), Value: list}))
}

func composeDifferentialMAU(id string, seq int64, added []announced, removed []string) []byte {
	add, del := make(amqp.List, 0, len(added)), make(amqp.List, 0, len(removed))
	for _, a := range added {
		add = append(add, a.descriptor())
	}
	for _, key := range removed {
		del = append(del, amqp.List{key})
	}
	return composeAddresses(toAllAddresses, MAU, append(addressBody(id),
		amqp.Pair{Key: amqp.Symbol("mobile_seq"), Value: seq},
		amqp.Pair{Key: amqp.Symbol("add"), Value: add},
		amqp.Pair{Key: amqp.Symbol("del"), Value: del}))
}

// descriptor is the positional list that stands for an address: hash key,
// treatment, producers, null for the capacity of consumers, mesh.
func (a announced) descriptor() amqp.List {
	l := amqp.List{a.key, a.Treatment, a.Producers}
	if a.Mesh != "" {
		l = append(l, nil, a.Mesh)
	}
	return l
}
