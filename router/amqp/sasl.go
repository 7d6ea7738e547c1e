package amqp

// SASL outcome codes, AMQP 1.0 §5.3.3.6.
const (
	SASLOK      uint8 = 0
	SASLAuth    uint8 = 1 // authentication failed
	SASLSys     uint8 = 2 // system error
	SASLSysPerm uint8 = 3 // system error, permanent
	SASLSysTemp uint8 = 4 // system error, transient
)

// SASLMechanisms lists what the server offers, AMQP 1.0 §5.3.3.1.
type SASLMechanisms struct{ Mechanisms []Symbol }

// SASLInit chooses a mechanism, AMQP 1.0 §5.3.3.2.
type SASLInit struct {
	Mechanism       Symbol
	InitialResponse []byte // nil = absent; empty = present without octets
	Hostname        string // empty = absent
}

// SASLChallenge carries security data, AMQP 1.0 §5.3.3.3.
type SASLChallenge struct{ Challenge []byte }

// SASLResponse carries security data, AMQP 1.0 §5.3.3.4.
type SASLResponse struct{ Response []byte }

// SASLOutcome ends the exchange, AMQP 1.0 §5.3.3.5.
type SASLOutcome struct {
	Code           uint8
	AdditionalData []byte // nil = absent
}

// Append appends the performative. The mechanisms are an array of sym8, also
// when there is only one.
func (x *SASLMechanisms) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeSASLMechanisms)
	l.symbolArray8(x.Mechanisms)
	return l.end()
}

func (x *SASLMechanisms) decodeFields(d *decoder) {
	outer := d.list("sasl-mechanisms")
	x.Mechanisms = d.symbols("sasl-server-mechanisms")
	d.close(outer)
}

// Append appends the performative.
func (x *SASLInit) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeSASLInit)
	l.symbol(x.Mechanism)
	l.binary(x.InitialResponse)
	l.text(x.Hostname)
	return l.end()
}

func (x *SASLInit) decodeFields(d *decoder) {
	outer := d.list("sasl-init")
	x.Mechanism = d.symbol("mechanism", mandatory)
	x.InitialResponse = d.binary("initial-response", optional)
	x.Hostname = d.text("hostname", optional)
	d.close(outer)
}

// Append appends the performative.
func (x *SASLChallenge) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeSASLChallenge)
	l.binaryAlways(x.Challenge)
	return l.end()
}

func (x *SASLChallenge) decodeFields(d *decoder) {
	outer := d.list("sasl-challenge")
	x.Challenge = d.binary("challenge", mandatory)
	d.close(outer)
}

// Append appends the performative.
func (x *SASLResponse) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeSASLResponse)
	l.binaryAlways(x.Response)
	return l.end()
}

func (x *SASLResponse) decodeFields(d *decoder) {
	outer := d.list("sasl-response")
	x.Response = d.binary("response", mandatory)
	d.close(outer)
}

// Append appends the performative.
func (x *SASLOutcome) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeSASLOutcome)
	l.ubyte(x.Code)
	l.binary(x.AdditionalData)
	return l.end()
}

func (x *SASLOutcome) decodeFields(d *decoder) {
	outer := d.list("sasl-outcome")
	x.Code = d.ubyte("code", mandatory, 0)
	x.AdditionalData = d.binary("additional-data", optional)
	d.close(outer)
}
