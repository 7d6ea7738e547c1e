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
	f := d.list("transfer")
	t.Handle = f.uint("handle", mandatory, 0)
	t.DeliveryID, t.HasDeliveryID = f.uintIf("delivery-id", optional)
	t.DeliveryTag = f.binary("delivery-tag", optional)
	t.MessageFormat, t.HasMessageFormat = f.uintIf("message-format", optional)
	t.Settled = f.bool("settled", false)
	t.More = f.bool("more", false)
	t.RcvSettleMode, t.HasRcvSettleMode = f.ubyteIf("rcv-settle-mode")
	f.state("state", &t.State)
	t.Resume = f.bool("resume", false)
	t.Aborted = f.bool("aborted", false)
	t.Batchable = f.bool("batchable", false)
	d.close(&f)
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
	f := d.list("flow")
	x.NextIncomingID, x.HasNextIncomingID = f.uintIf("next-incoming-id", optional)
	x.IncomingWindow = f.uint("incoming-window", mandatory, 0)
	x.NextOutgoingID = f.uint("next-outgoing-id", mandatory, 0)
	x.OutgoingWindow = f.uint("outgoing-window", mandatory, 0)
	x.Handle, x.HasHandle = f.uintIf("handle", optional)
	x.DeliveryCount, x.HasDeliveryCount = f.uintIf("delivery-count", optional)
	x.LinkCredit, x.HasLinkCredit = f.uintIf("link-credit", optional)
	x.Available = f.uint("available", optional, 0)
	x.Drain = f.bool("drain", false)
	x.Echo = f.bool("echo", false)
	x.Properties = f.mapping("properties")
	d.close(&f)
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
	f := d.list("disposition")
	x.Role = f.role()
	x.First = f.uint("first", mandatory, 0)
	x.Last = f.uint("last", optional, x.First)
	x.Settled = f.bool("settled", false)
	f.state("state", &x.State)
	x.Batchable = f.bool("batchable", false)
	d.close(&f)
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
