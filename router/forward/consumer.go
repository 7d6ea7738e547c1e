package forward

import "sync/atomic"

// ConnID names an AMQP connection of this router; 0 means none.
type ConnID uint64

// Kind says where a consumer is.
type Kind uint8

const (
	// Local consumers are what is attached to this router: connectors, links
	// of clients, links of edge routers.
	Local Kind = iota
	// Process consumers are parts of the router itself.
	Process
	// Proxy consumers stand for destinations elsewhere: at an edge router the
	// link to the interior.
	Proxy
)

// Consumer is a destination of an address in this router. Its fields are set
// before it is added to a Table and then read only.
type Consumer struct {
	Kind Kind
	Conn ConnID // the connection it is attached to
	Edge bool   // that connection leads to an edge router

	// Capacity is the number of deliveries after which others are preferred;
	// 0 = any number.
	Capacity int64
	// Weight is how much each of its deliveries counts as load; 0 is 1.
	Weight int64
	// Cost is added to the load of a Proxy.
	Cost int64
	// Announced makes a Process consumer known to other routers.
	Announced bool

	// Target is whatever the owner sends deliveries to.
	Target any

	key  Key
	load atomic.Int64
}

// Load is the number of deliveries that were given to the consumer and are not
// done.
func (c *Consumer) Load() int64 { return c.load.Load() }

// Key is the address that it consumes, set when it is added to a Table.
func (c *Consumer) Key() Key { return c.key }

// member is a consumer in an address, with the edge mesh that its connection
// belongs to at the time.
type member struct {
	*Consumer
	mesh string
}

// holder is another router that has destinations of an address.
type holder struct {
	router int32  // index
	mesh   string // edge mesh behind which all of them are
}

// load counts what an address has outstanding. It outlives the snapshots.
type load struct {
	turn atomic.Uint32 // of round robin
	hops hopCounters
}
