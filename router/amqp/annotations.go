package amqp

// Flags of router annotations. Unknown bits are passed on unchanged.
const (
	FlagStreaming      uint32 = 0x01 // forward before the message is complete
	FlagResendReleased uint32 = 0x02 // try another destination when one releases it
	FlagUnlimited      uint32 = 0x04 // no limit on buffering per message ("disable Q2")
)

// Annotations is the section that routers put in front of a message, compat:
// skupper-router 3.x. It says what the routers before us decided.
type Annotations struct {
	Flags      uint32
	To         string // overrides the "to" of the properties
	HasTo      bool
	Ingress    string // "0/" and the id of the first interior router
	HasIngress bool
	Trace      []string // "0/" and the id of each interior router passed, in order
	Mesh       string   // 15 octets, the edge mesh of origin; empty = absent
}

// IsAnnotations reports whether a message begins with router annotations. It
// needs 10 octets and is false if there are fewer.
func IsAnnotations(message []byte) bool {
	return len(message) >= len(annotationsDescriptor) &&
		string(message[:len(annotationsDescriptor)]) == annotationsDescriptor
}

// annotationsDescriptor is the only accepted form of the descriptor.
const annotationsDescriptor = "\x00\x80SKPR--RA"

// Decode decodes the section at the start of message and returns what follows.
// Trace reuses its capacity; the strings are copied.
//
// skupper-router refuses a list of fewer than four elements, elements of other
// types, symbols instead of strings and an explicit null as fifth element; so
// does Decode, with an *Error amqp:invalid-field; with amqp:decode-error what is
// no list at all. Elements behind the fifth are ignored.
func (a *Annotations) Decode(message []byte) (rest []byte, err error) {
	*a = Annotations{Trace: a.Trace[:0]}
	if !IsAnnotations(message) {
		return nil, invalidFieldf("router annotations: section missing")
	}
	d := newDecoder(message)
	d.off = len(annotationsDescriptor)
	outer := d.list("router-annotations")
	if d.err != nil && !d.short {
		d.err.Condition = ErrDecode
		return nil, d.err
	}
	if d.left < 4 {
		d.failf("router-annotations: %d elements, want at least 4", d.left)
	}
	hasMesh := d.left > 4
	a.Flags = d.uint("flags", mandatory, 0)
	a.To, a.HasTo = d.textIf("to-override", optional)
	a.Ingress, a.HasIngress = d.textIf("ingress", optional)
	a.Trace = d.texts("trace", a.Trace)
	if hasMesh {
		a.Mesh = d.text("ingress-mesh", mandatory)
	}
	d.close(outer)
	if d.err != nil {
		d.err.Condition = ErrInvalidField
		return nil, d.err
	}
	return d.rest(), nil
}

// Append appends the section as skupper-router writes it: list32 for the
// section and for the trace, list0 for an empty trace, the mesh only if there
// is one.
func (a *Annotations) Append(dst []byte) []byte {
	dst, list := AppendList32Header(append(dst, annotationsDescriptor...))
	dst = AppendUint(dst, a.Flags)
	dst = appendTextOrNull(dst, a.HasTo, a.To)
	dst = appendTextOrNull(dst, a.HasIngress, a.Ingress)
	dst = appendTrace(dst, a.Trace)
	count := 4
	if a.Mesh != "" {
		dst = AppendString(dst, a.Mesh)
		count++
	}
	FinishCompound32(dst, list, count)
	return dst
}

func appendTextOrNull(dst []byte, present bool, s string) []byte {
	if !present {
		return append(dst, codeNull)
	}
	return AppendString(dst, s)
}

func appendTrace(dst []byte, trace []string) []byte {
	if len(trace) == 0 {
		return append(dst, codeList0)
	}
	dst, list := AppendList32Header(dst)
	for _, id := range trace {
		dst = AppendString(dst, id)
	}
	FinishCompound32(dst, list, len(trace))
	return dst
}
