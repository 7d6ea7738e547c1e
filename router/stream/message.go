package stream

import (
	"github.com/skupper-host/skupper/router/amqp"
)

// ContentType marks a message whose body is a stream. It is compared octet by
// octet and written as a string. compat: skupper-router 3.x.
const ContentType = "application/octet-stream"

// Application properties of the messages that open a stream.
const (
	// PropertyVersion says how the body is to be read; the value is uint 1.
	// compat: written, never checked.
	PropertyVersion = "V"
	// PropertyALPN is the protocol that the client's TLS connection chose, for
	// the server's. compat: skupper-router 3.x.
	PropertyALPN = "alpn"
	// PropertyWindow is how many bytes of the opposite direction, from its
	// first byte on, the sender of the message takes before it says more, as
	// uint. It is in a reply only if it was in the request. If it is in both,
	// both ends are ours: the window can grow (see sendWindow), a broken
	// connection is passed on as an aborted delivery, and an outcome can tell
	// that the server was not reached. skupper-router passes it on and ignores
	// it.
	PropertyWindow = "w"
)

const version = 1

// properties are the application properties of a stream.
type properties struct {
	alpn   string
	window uint64 // 0 = absent
}

// opening is what the first message of a stream says.
type opening struct {
	annotations []byte // encoded section; may be empty
	to          string
	replyTo     string // of a request
	correlation string // of a request; empty for none
	properties  properties
}

// propertyFields is how many fields of the properties section are written.
const propertyFields = 7

// append appends the sections up to where the body begins, as skupper-router
// encodes them.
func (o *opening) append(dst []byte) []byte {
	dst = append(dst, o.annotations...)
	p := amqp.Properties{To: o.to, ReplyTo: o.replyTo, ContentType: ContentType}
	if o.correlation != "" {
		p.CorrelationID = o.correlation
	}
	dst = p.AppendWide(dst, propertyFields)
	dst, m := amqp.AppendMap32Header(amqp.AppendDescriptor(dst, amqp.SectionApplicationProperties))
	count := 2
	dst = amqp.AppendUint(amqp.AppendString(dst, PropertyVersion), version)
	if o.properties.alpn != "" {
		dst = amqp.AppendString(amqp.AppendString(dst, PropertyALPN), o.properties.alpn)
		count += 2
	}
	if o.properties.window != 0 {
		dst = amqp.AppendUint(amqp.AppendString(dst, PropertyWindow), uint32(o.properties.window))
		count += 2
	}
	amqp.FinishCompound32(dst, m, count)
	dst = amqp.AppendDescriptor(dst, amqp.SectionValue)
	return amqp.AppendValue(dst, nil)
}

// readProperties reads the application properties of an opening. What is
// malformed counts as absent: skupper-router does not look at all.
func readProperties(h *Head) properties {
	v, _, err := amqp.DecodeValue(h.ApplicationProperties.In(h.Message))
	if err != nil {
		return properties{}
	}
	section, _ := v.(amqp.Described)
	m, _ := section.Value.(amqp.Map)
	var p properties
	p.alpn, _ = m.Get(PropertyALPN).(string)
	switch w := m.Get(PropertyWindow).(type) {
	case uint32:
		p.window = uint64(w)
	case uint64:
		p.window = min(w, 1<<32-1)
	}
	return p
}
