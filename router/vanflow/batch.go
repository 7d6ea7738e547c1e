package vanflow

import (
	"unicode/utf8"

	"github.com/skupper-host/skupper/router/amqp"
)

const (
	// recordsPerMessage is how many records a message holds at most (compat:
	// upstream's routers).
	recordsPerMessage = 50
	// maxText and maxTrace bound text attributes, in bytes (compat: upstream
	// cuts them there).
	maxText  = 300
	maxTrace = 1000
)

// batch composes RECORD messages to one address: begin, attributes in
// ascending order, end for each record, and close after the last.
type batch struct {
	to   string
	next *uint64        // message ids
	out  *[]Publication // full messages

	buf    []byte
	list   int // where the list of records starts in buf
	record int // where the open record starts in buf
	count  int // records in buf
	items  int // keys and values of the open record
}

// begin starts a record.
func (b *batch) begin(t Type, identity string) {
	if b.buf == nil {
		b.buf = appendHead(*b.next, b.to, SubjectRecord, nil)
		*b.next++
		b.buf, b.list = amqp.AppendList32Header(b.buf)
	}
	b.buf, b.record = amqp.AppendMap32Header(b.buf)
	b.buf = amqp.AppendUint(amqp.AppendUint(b.buf, uint32(AttrRecordType)), uint32(t))
	b.items = 2
	b.text(AttrIdentity, identity)
}

func (b *batch) number(c Code, n uint64) {
	b.buf = amqp.AppendUlong(amqp.AppendUint(b.buf, uint32(c)), n)
	b.items += 2
}

func (b *batch) text(c Code, s string) {
	limit := maxText
	if c == AttrTrace {
		limit = maxTrace
	}
	b.buf = amqp.AppendString(amqp.AppendUint(b.buf, uint32(c)), cut(s, limit))
	b.items += 2
}

func (b *batch) attribute(a Attribute) {
	if a.Code.IsNumber() {
		b.number(a.Code, a.Number)
	} else {
		b.text(a.Code, a.Text)
	}
}

// textIf adds text that is not empty.
func (b *batch) textIf(c Code, s string) {
	if s != "" {
		b.text(c, s)
	}
}

// numberIf adds a number that is not zero.
func (b *batch) numberIf(c Code, n uint64) {
	if n != 0 {
		b.number(c, n)
	}
}

// end ends a record.
func (b *batch) end() {
	amqp.FinishCompound32(b.buf, b.record, b.items)
	if b.count++; b.count == recordsPerMessage {
		b.close()
	}
}

// close ends the message, if one is open.
func (b *batch) close() {
	if b.count == 0 {
		return
	}
	amqp.FinishCompound32(b.buf, b.list, b.count)
	*b.out = append(*b.out, Publication{b.to, b.buf})
	b.buf, b.count = nil, 0
}

// cut shortens s to at most limit bytes, at a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// AppendRecords returns the RECORD messages that carry records to an address,
// with message ids from first on.
func AppendRecords(out []Publication, to string, first uint64, records []Record) []Publication {
	b := batch{to: to, next: &first, out: &out}
	for i := range records {
		r := &records[i]
		b.begin(r.Type, r.Identity)
		for _, a := range r.Attributes {
			b.attribute(a)
		}
		b.end()
	}
	b.close()
	return out
}
