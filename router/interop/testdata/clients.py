"""clients.py FROM TO: what clients made with Proton do, who send to one router
and receive from the same or another. It prints a line for each thing."""

import sys
import time

from proton import Delivery, Message
from proton.handlers import IncomingMessageHandler, MessagingHandler
from proton.reactor import AtMostOnce, Container
from proton.utils import BlockingConnection, LinkDetached, SyncRequestResponse

try:  # Newer libraries close a connection with 4 MiB of messages that are not complete.
    import cproton
    import proton._transport
    from cproton_ffi import lib

    def unlimited():
        transport = cproton.pn_transport()
        lib.pn_transport_set_max_buffered_delivery_bytes(transport, 0)
        return transport

    if hasattr(lib, "pn_transport_set_max_buffered_delivery_bytes"):
        proton._transport.Transport.constructor = staticmethod(unlimited)
except ImportError:
    pass

FROM, TO = sys.argv[1:3]
LIMIT = 30  # seconds, for each


def step(name, f):
    try:
        f()
        print("%s: ok" % name, flush=True)
    except Exception as e:
        print("%s: %s: %s" % (name, type(e).__name__, e), flush=True)


def want(got, expected):
    if got != expected:
        raise Exception("got %r, want %r" % (got, expected))


def both():
    return BlockingConnection(FROM, timeout=LIMIT), BlockingConnection(TO, timeout=LIMIT)


def push(connection, link, message):
    """Sends and does not wait for the outcome."""
    connection.wait(lambda: link.link.credit > 0, timeout=LIMIT, msg="credit")
    sent = link.link.send(message)
    transport = connection.conn.transport
    connection.wait(lambda: link.link.queued == 0 and transport.pending() <= 0, timeout=LIMIT, msg="sending")
    return sent


def outcomes():
    """Each outcome of a receiver is the sender's."""
    a, b = both()
    receiver = b.create_receiver("outcomes", credit=10)
    sender = a.create_sender("outcomes")
    for outcome in (Delivery.ACCEPTED, Delivery.REJECTED, Delivery.RELEASED, Delivery.MODIFIED):
        sent = push(a, sender, Message(body=str(outcome)))
        got = receiver.receive(timeout=LIMIT)
        want(got.body, str(outcome))
        receiver.settle(outcome)
        b.wait(lambda: b.conn.transport.pending() <= 0, timeout=LIMIT)
        a.wait(lambda: sent.settled, timeout=LIMIT, msg="settlement of %s" % outcome)
        want(sent.remote_state, outcome)
    a.close()
    b.close()


def presettled():
    a, b = both()
    receiver = b.create_receiver("presettled", credit=100)
    sender = a.create_sender("presettled", options=AtMostOnce())
    for i in range(50):
        push(a, sender, Message(body=i))
    want([receiver.receive(timeout=LIMIT).body for i in range(50)], list(range(50)))
    a.close()
    b.close()


def multicast():
    a, b = both()
    receivers = [x.create_receiver("mc/all", credit=100, name="all-%d" % i) for i, x in enumerate((a, b, b))]
    sender = a.create_sender("mc/all")
    deadline = time.time() + LIMIT
    got = [0, 0, 0]
    while min(got) == 0 and time.time() < deadline:  # until the other router knows
        push(a, sender, Message(body="news"))
        for i, r in enumerate(receivers):
            try:
                while r.receive(timeout=0.2):
                    r.accept()
                    got[i] += 1
            except Exception:
                pass
    want(min(got) > 0, True)
    a.close()
    b.close()


def replies():
    """A dynamic address takes answers from the other router, sent by an
    anonymous sender."""
    a, b = both()
    mailbox = a.create_receiver(None, dynamic=True, credit=5)
    service = b.create_receiver("service", credit=5)
    sender = a.create_sender("service")
    push(a, sender, Message(body="question", reply_to=mailbox.remote_source.address, correlation_id=7))
    question = service.receive(timeout=LIMIT)
    service.accept()
    anyone = b.create_sender(None)
    push(b, anyone, Message(address=question.reply_to, body="answer", correlation_id=question.correlation_id))
    answer = mailbox.receive(timeout=LIMIT)
    want((answer.body, answer.correlation_id), ("answer", 7))
    a.close()
    b.close()


def request():
    a = BlockingConnection(FROM, timeout=LIMIT)
    answer = SyncRequestResponse(a, "$management").call(
        Message(properties={"operation": "QUERY", "type": "org.amqp.management", "name": "self",
                            "entityType": "io.skupper.router.router"}, body={"attributeNames": ["id"]}))
    want(answer.properties["statusCode"], 200)
    a.close()


def nobody():
    """Without receivers there is no credit at an address, and what is sent to
    an unknown address by an anonymous sender is released."""
    a = BlockingConnection(FROM, timeout=LIMIT)
    sender = a.create_sender(None)
    sent = push(a, sender, Message(address="nobody/here", body="x"))
    a.wait(lambda: sent.settled, timeout=LIMIT, msg="settlement")
    want(sent.remote_state, Delivery.RELEASED)
    try:
        a.create_sender("nobody/there").send(Message(body="x"), timeout=1)
    except Exception as e:
        if isinstance(e, LinkDetached):
            raise
        a.close()
        return
    raise Exception("a message to nobody was settled")


class Program(MessagingHandler):
    """A reactor client with a sender and a receiver."""

    def __init__(self, address, credit=10, **kw):
        super().__init__(prefetch=credit, **kw)
        self.address, self.error = address, "no end after %d s" % LIMIT

    def on_start(self, event):
        self.container = event.container
        self.timer = event.reactor.schedule(LIMIT, self)
        self.a, self.b = event.container.connect(FROM), event.container.connect(TO)
        self.receiver = event.container.create_receiver(self.b, self.address)
        self.sender = event.container.create_sender(self.a, self.address)

    def on_timer_task(self, event):
        self.a.close()
        self.b.close()

    def done(self, error=None):
        self.error = error
        self.timer.cancel()
        self.a.close()
        self.b.close()

    def go(self):
        Container(self).run()
        if self.error:
            raise Exception(self.error)


class Streaming(Program):
    """A message of which the receiver has parts before the sender has the
    rest. A part is more than routers wait for the end of."""

    part, parts = b"x" * 400_000, 5

    def __init__(self):
        super().__init__("streaming", auto_accept=False)
        self.handlers = [h for h in self.handlers if not isinstance(h, IncomingMessageHandler)]  # it reads whole messages
        self.delivery, self.sent, self.got = None, 0, 0

    def send_part(self):
        if self.sent < self.parts:
            self.sender.stream(self.part)
            self.sent += 1

    def on_sendable(self, event):
        if self.delivery is None:
            self.delivery = self.sender.delivery("stream")
            # An amqp-value section with a binary of the whole length.
            self.sender.stream(b"\x00\x53\x77\xb0" + (len(self.part) * self.parts).to_bytes(4, "big"))
            self.send_part()

    def on_delivery(self, event):
        if not event.link.is_receiver:
            return
        while True:
            data = self.receiver.recv(65536)
            if not data:
                break
            self.got += len(data)
        if self.got >= self.sent * len(self.part):
            if self.sent == self.parts:
                if event.delivery.partial:
                    self.sender.advance()
                    return
                event.delivery.update(Delivery.ACCEPTED)
                event.delivery.settle()
            else:
                self.send_part()

    def on_accepted(self, event):
        want_length = 8 + len(self.part) * self.parts
        self.done(None if self.got == want_length else "%d of %d bytes" % (self.got, want_length))


class Aborted(Program):
    """A message whose sender gives up harms neither the next one nor the
    receiver."""

    def __init__(self):
        super().__init__("aborted")
        self.step = 0

    def on_sendable(self, event):
        if self.step == 0:
            self.step = 1
            sent = self.sender.delivery("first")
            self.sender.stream(b"\x00\x53\x77\xb0\x00\x10\x00\x00" + b"y" * 300_000)
            event.reactor.schedule(0.5, Later(lambda: self.give_up(sent)))

    def give_up(self, sent):
        sent.abort()
        self.step = 2
        self.sender.send(Message(body="after"))

    def on_message(self, event):
        self.done(None if event.message.body == "after" else "got %r" % event.message.body)


class Later:
    def __init__(self, f):
        self.f = f

    def on_timer_task(self, event):
        self.f()


class Pressure(Program):
    """A sender is held back by a receiver that does not give credit, and loses
    nothing."""

    total = 1000

    def __init__(self):
        super().__init__("pressure", credit=0, auto_accept=True)
        self.sent, self.got, self.held = 0, [], None

    def on_start(self, event):
        super().on_start(event)
        self.receiver.flow(10)
        event.reactor.schedule(2, Later(self.open))

    def open(self):
        self.held = self.sent
        self.receiver.flow(self.total)

    def on_sendable(self, event):
        while self.sender.credit > 0 and self.sent < self.total:
            self.sender.send(Message(body=self.sent))
            self.sent += 1

    def on_message(self, event):
        self.got.append(event.message.body)
        if len(self.got) == self.total:
            if self.held is None or self.held >= self.total:
                self.done("%s messages were taken before there was credit" % self.held)
            else:
                self.done(None if self.got == list(range(self.total)) else "order is lost")


class Large(Program):
    def on_sendable(self, event):
        if not hasattr(self, "sent"):
            self.sent = self.sender.send(Message(body=b"z" * 5_000_000))

    def on_message(self, event):
        self.size = len(event.message.body)

    def on_accepted(self, event):
        self.done(None if self.size == 5_000_000 else "%d bytes" % self.size)


for name, f in (
    ("outcomes", outcomes), ("presettled", presettled), ("multicast", multicast), ("replies", replies), ("request", request),
    ("nobody", nobody), ("streaming", lambda: Streaming().go()), ("aborted", lambda: Aborted().go()),
    ("back-pressure", lambda: Pressure().go()), ("large", lambda: Large("large").go()),
):
    step(name, f)
