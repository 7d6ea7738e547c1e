package vanflow

import (
	"errors"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// AddressAll is the multicast address of beacons.
const AddressAll = "mc/sfe.all"

// Address returns the multicast address of a source: heartbeats and records
// other than flows and logs.
func Address(id string) string { return "mc/sfe." + id }

// AddressFlows returns the multicast address of the flow records of a router.
func AddressFlows(id string) string { return "mc/sfe." + id + ".flows" }

// AddressLogs returns the multicast address of the log records of a router.
func AddressLogs(id string) string { return "mc/sfe." + id + ".logs" }

// AddressHeartbeats returns the multicast address of a controller's heartbeats.
func AddressHeartbeats(id string) string { return "mc/sfe." + id + ".heartbeats" }

// AddressDirect returns the address where a source takes commands.
func AddressDirect(id string) string { return "sfe." + id }

// AddressCoRecords returns the address where a router takes co-records.
func AddressCoRecords(id string) string { return "vfcr." + id }

// SourceType is the kind of a source as its beacon says it.
type SourceType string

// Source types.
const (
	SourceRouter     SourceType = "ROUTER"
	SourceController SourceType = "CONTROLLER"
)

// Subject is the kind of a message.
type Subject string

// Subjects.
const (
	SubjectBeacon    Subject = "BEACON"
	SubjectHeartbeat Subject = "HEARTBEAT"
	SubjectRecord    Subject = "RECORD"
	SubjectFlush     Subject = "FLUSH"
)

// Message is a decoded message. Which fields are set depends on Subject.
type Message struct {
	Subject Subject
	To      string

	Source SourceType // BEACON
	Direct string     // BEACON: where the source takes commands
	// Address is the address of the source's records in a BEACON.
	Address string
	// ID is the id of the source in a BEACON or HEARTBEAT.
	ID  string
	Now time.Time // HEARTBEAT: the clock of the source

	Records []Record // RECORD
	Skipped int      // RECORD: records that could not be understood
}

// ErrNotVanflow is returned for messages that belong to another protocol.
var ErrNotVanflow = errors.New("vanflow: no subject of the protocol")

// Decode takes a message apart. It accepts what routers and Go controllers
// send: keys as symbols or strings, integers of any width, attributes in any
// order. A record that it does not understand is counted and left out.
//
// Errors are ErrNotVanflow and the *amqp.Error of a malformed message.
func Decode(payload []byte) (Message, error) {
	m, err := amqp.ParseMessage(payload)
	if err != nil {
		return Message{}, err
	}
	if m.Properties == nil {
		return Message{}, ErrNotVanflow
	}
	out := Message{Subject: Subject(m.Properties.Subject), To: m.Properties.To}
	property := func(key string) string {
		s, _ := text(m.ApplicationProperties.Get(key))
		return s
	}
	switch out.Subject {
	case SubjectBeacon:
		out.Source = SourceType(property("sourceType"))
		out.ID, out.Address, out.Direct = property("id"), property("address"), property("direct")
	case SubjectHeartbeat:
		out.ID = property("id")
		if now, ok := number(m.ApplicationProperties.Get("now")); ok {
			out.Now = time.UnixMicro(int64(now))
		}
	case SubjectRecord:
		out.Records, out.Skipped = decodeRecords(m)
	case SubjectFlush:
	default:
		return Message{}, ErrNotVanflow
	}
	return out, nil
}

func decodeRecords(m *amqp.Message) (records []Record, skipped int) {
	body, _ := m.Value.(amqp.List)
	for _, v := range body {
		if r, ok := decodeRecord(v); ok {
			records = append(records, r)
		} else {
			skipped++
		}
	}
	return records, skipped
}

// version is the protocol version. compat: collectors read it as uint only.
const version uint32 = 1

// appendHead appends the properties section and, unless it is nil, the
// application properties. The message id is a counter of the source.
func appendHead(id uint64, to string, subject Subject, properties amqp.Map) []byte {
	p := amqp.Properties{MessageID: id, To: to, Subject: string(subject)}
	b := p.AppendWide(make([]byte, 0, 256), 0)
	if properties != nil {
		b = amqp.AppendWide(amqp.AppendDescriptor(b, amqp.SectionApplicationProperties), properties)
	}
	return amqp.AppendDescriptor(b, amqp.SectionValue)
}

func beacon(message uint64, id string, source SourceType) Publication {
	return Publication{AddressAll, amqp.AppendValue(appendHead(message, AddressAll, SubjectBeacon, amqp.Map{
		{Key: "v", Value: version},
		{Key: "sourceType", Value: string(source)},
		{Key: "id", Value: id},
		{Key: "address", Value: Address(id)},
		{Key: "direct", Value: AddressDirect(id)},
	}), nil)}
}

func heartbeat(message uint64, id, to string, now time.Time) Publication {
	return Publication{to, amqp.AppendValue(appendHead(message, to, SubjectHeartbeat, amqp.Map{
		{Key: "v", Value: version},
		{Key: "now", Value: micros(now)},
		{Key: "id", Value: id},
	}), nil)}
}

// Flush returns the command that makes a source emit all its live records
// again. It goes to the source's direct address.
func Flush(direct string) Publication {
	p := amqp.Properties{To: direct, Subject: string(SubjectFlush)}
	return Publication{direct, p.AppendWide(nil, 0)}
}

// micros is a time as the protocol writes it.
func micros(t time.Time) uint64 { return uint64(t.UnixMicro()) }

// Publication is a message to be sent, presettled.
type Publication struct {
	To      string
	Payload []byte // complete message; the receiver owns it
}
