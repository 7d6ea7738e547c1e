package amqp

import (
	"fmt"
	"strconv"
)

// maxTextPayload bounds what AppendText shows of a payload, in octets.
const maxTextPayload = 512

// described names a described list and its fields, for people. compat: the
// trace of Proton, which log scrapers read.
type describedText struct {
	name   string
	fields []string
}

func describedTexts(code uint64) (t describedText, ok bool) {
	switch code {
	case CodeOpen:
		return describedText{"open", []string{
			"container-id", "hostname", "max-frame-size", "channel-max", "idle-time-out", "outgoing-locales",
			"incoming-locales", "offered-capabilities", "desired-capabilities", "properties",
		}}, true
	case CodeBegin:
		return describedText{"begin", []string{
			"remote-channel", "next-outgoing-id", "incoming-window", "outgoing-window", "handle-max",
			"offered-capabilities", "desired-capabilities", "properties",
		}}, true
	case CodeAttach:
		return describedText{"attach", []string{
			"name", "handle", "role", "snd-settle-mode", "rcv-settle-mode", "source", "target", "unsettled",
			"incomplete-unsettled", "initial-delivery-count", "max-message-size", "offered-capabilities",
			"desired-capabilities", "properties",
		}}, true
	case CodeFlow:
		return describedText{"flow", []string{
			"next-incoming-id", "incoming-window", "next-outgoing-id", "outgoing-window", "handle", "delivery-count",
			"link-credit", "available", "drain", "echo", "properties",
		}}, true
	case CodeTransfer:
		return describedText{"transfer", []string{
			"handle", "delivery-id", "delivery-tag", "message-format", "settled", "more", "rcv-settle-mode", "state",
			"resume", "aborted", "batchable",
		}}, true
	case CodeDisposition:
		return describedText{"disposition", []string{"role", "first", "last", "settled", "state", "batchable"}}, true
	case CodeDetach:
		return describedText{"detach", []string{"handle", "closed", "error"}}, true
	case CodeEnd:
		return describedText{"end", []string{"error"}}, true
	case CodeClose:
		return describedText{"close", []string{"error"}}, true
	case CodeError:
		return describedText{"error", []string{"condition", "description", "info"}}, true
	case CodeSource:
		return describedText{"source", []string{
			"address", "durable", "expiry-policy", "timeout", "dynamic", "dynamic-node-properties",
			"distribution-mode", "filter", "default-outcome", "outcomes", "capabilities",
		}}, true
	case CodeTarget:
		return describedText{"target", []string{
			"address", "durable", "expiry-policy", "timeout", "dynamic", "dynamic-node-properties", "capabilities",
		}}, true
	}
	return otherTexts(code)
}

func otherTexts(code uint64) (t describedText, ok bool) {
	switch code {
	case CodeCoordinator:
		return describedText{"coordinator", []string{"capabilities"}}, true
	case CodeSASLMechanisms:
		return describedText{"sasl-mechanisms", []string{"sasl-server-mechanisms"}}, true
	case CodeSASLInit:
		return describedText{"sasl-init", []string{"mechanism", "initial-response", "hostname"}}, true
	case CodeSASLChallenge:
		return describedText{"sasl-challenge", []string{"challenge"}}, true
	case CodeSASLResponse:
		return describedText{"sasl-response", []string{"response"}}, true
	case CodeSASLOutcome:
		return describedText{"sasl-outcome", []string{"code", "additional-data"}}, true
	case uint64(StateReceived):
		return describedText{"received", []string{"section-number", "section-offset"}}, true
	case uint64(StateAccepted):
		return describedText{"accepted", nil}, true
	case uint64(StateRejected):
		return describedText{"rejected", []string{"error"}}, true
	case uint64(StateReleased):
		return describedText{"released", nil}, true
	case uint64(StateModified):
		return describedText{"modified", []string{"delivery-failed", "undeliverable-here", "message-annotations"}}, true
	}
	return describedText{}, false
}

// AppendText appends a performative and the beginning of its payload in a form
// for people, body as in DecodePerformative:
//
//	@flow(19) [next-incoming-id=0x0, incoming-window=0x2000, handle=0x1, link-credit=0xfa, drain=false]
//
// What cannot be decoded is shown as octets. The responses of SASL are not
// shown, since they may hold secrets.
func AppendText(dst, body []byte) []byte {
	v, payload, err := DecodeValue(body)
	if err != nil {
		return fmt.Appendf(appendOctets(dst, body), " (%s)", err)
	}
	dst = appendText(dst, v)
	if len(payload) > 0 {
		dst = fmt.Appendf(dst, " (%d) ", len(payload))
		dst = appendOctets(dst, payload)
	}
	return dst
}

// AppendValueText appends a value in the same form.
func AppendValueText(dst []byte, v any) []byte { return appendText(dst, v) }

// appendOctets appends the beginning of b with escapes.
func appendOctets(dst, b []byte) []byte {
	shown := b[:min(len(b), maxTextPayload)]
	for _, c := range shown {
		switch {
		case c == '\\':
			dst = append(dst, `\\`...)
		case c >= 0x20 && c < 0x7f:
			dst = append(dst, c)
		default:
			dst = fmt.Appendf(dst, `\x%02x`, c)
		}
	}
	if len(shown) < len(b) {
		dst = fmt.Appendf(dst, "... (truncated)")
	}
	return dst
}

func appendText(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case uint8, uint16, uint32, uint64:
		return fmt.Appendf(dst, "0x%x", v)
	case Symbol:
		return appendSymbolText(dst, v)
	case string:
		return strconv.AppendQuote(dst, v)
	case []byte:
		return append(appendOctets(append(dst, `b"`...), v), '"')
	case []Symbol:
		dst = append(dst, "@<symbol>["...)
		for i, s := range v {
			dst = appendSymbolText(comma(dst, i), s)
		}
		return append(dst, ']')
	case Array:
		return appendListText(append(dst, "@<>"...), v)
	case List:
		return appendListText(dst, v)
	case Map:
		dst = append(dst, '{')
		for i, p := range v {
			dst = append(appendText(comma(dst, i), p.Key), '=')
			dst = appendText(dst, p.Value)
		}
		return append(dst, '}')
	case Described:
		return appendDescribedText(dst, v)
	}
	return fmt.Append(dst, v)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ", "...)
	}
	return dst
}

// appendSymbolText quotes a symbol unless it is a plain word.
func appendSymbolText(dst []byte, s Symbol) []byte {
	dst = append(dst, ':')
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return strconv.AppendQuote(dst, string(s))
		}
	}
	return append(dst, s...)
}

func appendListText[T ~[]any](dst []byte, list T) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		dst = appendText(comma(dst, i), v)
	}
	return append(dst, ']')
}

// appendDescribedText names the fields of what it knows and leaves null ones
// out.
func appendDescribedText(dst []byte, v Described) []byte {
	code, numeric := v.Descriptor.(uint64)
	fields, list := v.Value.(List)
	t, known := describedTexts(code)
	if !numeric || !known || !list {
		dst = appendText(append(dst, '@'), v.Descriptor)
		return appendText(append(dst, ' '), v.Value)
	}
	dst = fmt.Appendf(dst, "@%s(%d) [", t.name, code)
	n := 0
	for i, f := range fields {
		if f == nil {
			continue
		}
		if i < len(t.fields) {
			dst = append(append(comma(dst, n), t.fields[i]...), '=')
		} else {
			dst = comma(dst, n)
		}
		n++
		if secret, ok := f.([]byte); ok && (code == CodeSASLInit || code == CodeSASLResponse) {
			dst = fmt.Appendf(dst, "(%d octets)", len(secret))
			continue
		}
		dst = appendText(dst, f)
	}
	return append(dst, ']')
}
