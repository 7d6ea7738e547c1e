package amqp

// Append appends the performative.
func (x *Open) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeOpen)
	l.textAlways(x.ContainerID)
	l.text(x.Hostname)
	l.uintIf(x.MaxFrameSize != 0 && x.MaxFrameSize != DefaultMaxFrameSize, x.MaxFrameSize)
	l.ushortIf(x.ChannelMax != DefaultChannelMax, x.ChannelMax)
	l.uintIf(x.IdleTimeOut != 0, x.IdleTimeOut)
	l.symbols(x.OutgoingLocales)
	l.symbols(x.IncomingLocales)
	l.symbols(x.OfferedCapabilities)
	l.symbols(x.DesiredCapabilities)
	l.mapping(x.Properties)
	return l.end()
}

func (x *Open) decodeFields(d *decoder) {
	outer := d.list("open")
	x.ContainerID = d.text("container-id", mandatory)
	x.Hostname = d.text("hostname", optional)
	x.MaxFrameSize = d.uint("max-frame-size", optional, DefaultMaxFrameSize)
	x.ChannelMax, _ = d.ushort("channel-max", DefaultChannelMax)
	x.IdleTimeOut = d.uint("idle-time-out", optional, 0)
	x.OutgoingLocales = d.symbols("outgoing-locales")
	x.IncomingLocales = d.symbols("incoming-locales")
	x.OfferedCapabilities = d.symbols("offered-capabilities")
	x.DesiredCapabilities = d.symbols("desired-capabilities")
	x.Properties = d.mapping("properties")
	d.close(outer)
	if x.MaxFrameSize < MinMaxFrameSize {
		d.fail(invalidFieldf("open: max-frame-size %d, at least %d octets are required", x.MaxFrameSize, MinMaxFrameSize))
	}
}

// Append appends the performative.
func (x *Begin) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeBegin)
	l.ushortIf(x.HasRemoteChannel, x.RemoteChannel)
	l.uint(x.NextOutgoingID)
	l.uint(x.IncomingWindow)
	l.uint(x.OutgoingWindow)
	l.uintIf(x.HandleMax != DefaultHandleMax, x.HandleMax)
	l.symbols(x.OfferedCapabilities)
	l.symbols(x.DesiredCapabilities)
	l.mapping(x.Properties)
	return l.end()
}

func (x *Begin) decodeFields(d *decoder) {
	outer := d.list("begin")
	x.RemoteChannel, x.HasRemoteChannel = d.ushort("remote-channel", 0)
	x.NextOutgoingID = d.uint("next-outgoing-id", mandatory, 0)
	x.IncomingWindow = d.uint("incoming-window", mandatory, 0)
	x.OutgoingWindow = d.uint("outgoing-window", mandatory, 0)
	x.HandleMax = d.uint("handle-max", optional, DefaultHandleMax)
	x.OfferedCapabilities = d.symbols("offered-capabilities")
	x.DesiredCapabilities = d.symbols("desired-capabilities")
	x.Properties = d.mapping("properties")
	d.close(outer)
}

// Append appends the performative. Settle modes and max-message-size are
// written also when they have their default, as proton does (compat:).
func (x *Attach) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeAttach)
	l.textAlways(x.Name)
	l.uint(x.Handle)
	l.bool(bool(x.Role))
	l.ubyte(x.SndSettleMode)
	l.ubyte(x.RcvSettleMode)
	l.source(x.Source)
	l.target(x.Target)
	l.mapping(x.Unsettled)
	l.boolIfTrue(x.IncompleteUnsettled)
	l.uintIf(x.HasInitialDeliveryCount, x.InitialDeliveryCount)
	l.ulong(x.MaxMessageSize)
	l.symbols(x.OfferedCapabilities)
	l.symbols(x.DesiredCapabilities)
	l.mapping(x.Properties)
	return l.end()
}

func (x *Attach) decodeFields(d *decoder) {
	outer := d.list("attach")
	x.Name = d.text("name", mandatory)
	x.Handle = d.uint("handle", mandatory, 0)
	x.Role = d.role()
	x.SndSettleMode = d.ubyte("snd-settle-mode", optional, SndMixed)
	x.RcvSettleMode = d.ubyte("rcv-settle-mode", optional, RcvFirst)
	x.Source = d.source()
	x.Target, x.Coordinator = d.target()
	x.Unsettled = d.mapping("unsettled")
	x.IncompleteUnsettled = d.bool("incomplete-unsettled")
	x.InitialDeliveryCount, x.HasInitialDeliveryCount = d.uintIf("initial-delivery-count", optional)
	x.MaxMessageSize = d.ulong("max-message-size", optional, 0)
	x.OfferedCapabilities = d.symbols("offered-capabilities")
	x.DesiredCapabilities = d.symbols("desired-capabilities")
	x.Properties = d.mapping("properties")
	d.close(outer)
	if x.SndSettleMode > SndMixed || x.RcvSettleMode > RcvSecond {
		d.fail(invalidFieldf("attach: settle modes %d and %d", x.SndSettleMode, x.RcvSettleMode))
	}
}

// Append appends the performative. Closed is left out when it is false.
func (x *Detach) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeDetach)
	l.uint(x.Handle)
	l.boolIfTrue(x.Closed)
	l.err(x.Error)
	return l.end()
}

func (x *Detach) decodeFields(d *decoder) {
	outer := d.list("detach")
	x.Handle = d.uint("handle", mandatory, 0)
	x.Closed = d.bool("closed")
	x.Error = d.failure()
	d.close(outer)
}

// Append appends the performative.
func (x *End) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeEnd)
	l.err(x.Error)
	return l.end()
}

func (x *End) decodeFields(d *decoder) {
	outer := d.list("end")
	x.Error = d.failure()
	d.close(outer)
}

// Append appends the performative.
func (x *Close) Append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeClose)
	l.err(x.Error)
	return l.end()
}

func (x *Close) decodeFields(d *decoder) {
	outer := d.list("close")
	x.Error = d.failure()
	d.close(outer)
}
