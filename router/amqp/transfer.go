package amqp

// MaxDeliveryTag is the largest delivery tag, in octets, AMQP 1.0 §2.8.7.
const MaxDeliveryTag = 32

// Decode decodes the transfer at the start of body and returns the payload,
// which aliases body. It allocates only for a rejected state with an error or
// a modified state with annotations.
func (t *Transfer) Decode(body []byte) (payload []byte, err error) {
	d := newDecoder(body)
	d.expect(CodeTransfer, "transfer")
	t.decodeFields(&d)
	if d.err != nil {
		return nil, d.err
	}
	return d.rest(), nil
}

func (t *Transfer) decodeFields(d *decoder) {
	outer := d.list("transfer")
	t.Handle = d.uint("handle", mandatory, 0)
	t.DeliveryID, t.HasDeliveryID = d.uintIf("delivery-id", optional)
	t.DeliveryTag = d.binary("delivery-tag", optional)
	t.MessageFormat, t.HasMessageFormat = d.uintIf("message-format", optional)
	t.Settled = d.bool("settled")
	t.More = d.bool("more")
	t.RcvSettleMode, t.HasRcvSettleMode = d.ubyteIf("rcv-settle-mode")
	d.state("state", &t.State)
	t.Resume = d.bool("resume")
	t.Aborted = d.bool("aborted")
	t.Batchable = d.bool("batchable")
	d.close(outer)
	if len(t.DeliveryTag) > MaxDeliveryTag {
		d.fail(invalidFieldf("transfer: delivery-tag of %d octets", len(t.DeliveryTag)))
	}
}

// Append appends the performative; the payload follows it in the frame.
func (t *Transfer) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeTransfer)
	l.uint(t.Handle)
	l.uintIf(t.HasDeliveryID, t.DeliveryID)
	l.binary(t.DeliveryTag)
	l.uintIf(t.HasMessageFormat, t.MessageFormat)
	l.boolIfTrue(t.Settled)
	l.boolIfTrue(t.More)
	l.ubyteIf(t.HasRcvSettleMode, t.RcvSettleMode)
	l.state(&t.State)
	l.boolIfTrue(t.Resume)
	l.boolIfTrue(t.Aborted)
	l.boolIfTrue(t.Batchable)
	return l.end()
}

// Decode decodes the flow at the start of body. It allocates only for
// properties.
func (x *Flow) Decode(body []byte) error {
	d := newDecoder(body)
	d.expect(CodeFlow, "flow")
	x.decodeFields(&d)
	return d.error()
}

func (x *Flow) decodeFields(d *decoder) {
	outer := d.list("flow")
	x.NextIncomingID, x.HasNextIncomingID = d.uintIf("next-incoming-id", optional)
	x.IncomingWindow = d.uint("incoming-window", mandatory, 0)
	x.NextOutgoingID = d.uint("next-outgoing-id", mandatory, 0)
	x.OutgoingWindow = d.uint("outgoing-window", mandatory, 0)
	x.Handle, x.HasHandle = d.uintIf("handle", optional)
	x.DeliveryCount, x.HasDeliveryCount = d.uintIf("delivery-count", optional)
	x.LinkCredit, x.HasLinkCredit = d.uintIf("link-credit", optional)
	x.Available = d.uint("available", optional, 0)
	x.Drain = d.bool("drain")
	x.Echo = d.bool("echo")
	x.Properties = d.mapping("properties")
	d.close(outer)
}

// Append appends the performative. compat: drain is written also when it is
// false if there is a handle, as proton does.
func (x *Flow) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeFlow)
	l.uintIf(x.HasNextIncomingID, x.NextIncomingID)
	l.uint(x.IncomingWindow)
	l.uint(x.NextOutgoingID)
	l.uint(x.OutgoingWindow)
	l.uintIf(x.HasHandle, x.Handle)
	l.uintIf(x.HasDeliveryCount, x.DeliveryCount)
	l.uintIf(x.HasLinkCredit, x.LinkCredit)
	l.uintIf(x.Available != 0, x.Available)
	if x.HasHandle {
		l.bool(x.Drain)
	} else {
		l.boolIfTrue(x.Drain)
	}
	l.boolIfTrue(x.Echo)
	l.mapping(x.Properties)
	return l.end()
}

// Decode decodes the disposition at the start of body. It allocates only for a
// rejected state with an error or a modified state with annotations.
func (x *Disposition) Decode(body []byte) error {
	d := newDecoder(body)
	d.expect(CodeDisposition, "disposition")
	x.decodeFields(&d)
	return d.error()
}

func (x *Disposition) decodeFields(d *decoder) {
	outer := d.list("disposition")
	x.Role = d.role()
	x.First = d.uint("first", mandatory, 0)
	x.Last = d.uint("last", optional, x.First)
	x.Settled = d.bool("settled")
	d.state("state", &x.State)
	x.Batchable = d.bool("batchable")
	d.close(outer)
}

// Append appends the performative. Last is left out when it equals First.
func (x *Disposition) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeDisposition)
	l.bool(bool(x.Role))
	l.uint(x.First)
	l.uintIf(x.Last != x.First, x.Last)
	l.boolIfTrue(x.Settled)
	l.state(&x.State)
	l.boolIfTrue(x.Batchable)
	return l.end()
}
