package session

// Deficit round robin over the links that have something to send and may: each
// turn of a link is worth one quantum. A link that had nothing to send for a
// while goes before those that always have, so that an answer of a few octets
// waits for no bulk stream but what is in the batch before it (as in RFC 8290
// §4.2). That is why bulk streams can afford large frames among each other.
const (
	// maxFrame is the longest frame that Emit composes whatever the peer
	// takes, in octets; see DefaultMaxFrameSize of package conn.
	maxFrame = 65536
	// quantum is one turn, in octets of frames: one longest frame.
	quantum = maxFrame
	// sparseQuantum is the first turn of a link that was silent.
	sparseQuantum = 16384
	// sparseTurns is how many sparse links in a row go before a bulk one that
	// waits, so that many of them cannot stop it.
	sparseTurns = 32
)

// schedule holds the links that are ready, each once.
type schedule struct {
	sparse fifo[*Link]
	bulk   fifo[*Link]
	turns  int // of sparse links since a bulk link had one
}

func (q *schedule) len() int { return q.sparse.len() + q.bulk.len() }

// next takes out the link whose turn it is, nil if there is none.
func (q *schedule) next() *Link {
	if q.sparse.len() > 0 && (q.bulk.len() == 0 || q.turns < sparseTurns) {
		q.turns++
		return q.sparse.pop()
	}
	q.turns = 0
	if q.bulk.len() > 0 {
		return q.bulk.pop()
	}
	return nil
}

// schedule queues the link for its turn if it has something to send and is
// not queued yet.
func (l *Link) schedule() {
	if l.scheduled || !l.hasFrame() {
		return
	}
	l.scheduled = true
	l.deficit = sparseQuantum
	l.s.e.ready.sparse.push(l)
}

// hasFrame reports whether a frame of the link may be sent now, but for the
// session's window.
func (l *Link) hasFrame() bool {
	out := l.queue
	if out == nil || !l.attached || l.detached || l.gone {
		return false
	}
	if !out.begun && l.credit == 0 {
		return false
	}
	return out.first != nil || out.complete
}
