package session

// serialDiff returns a − b in RFC 1982 arithmetic: positive if a is ahead of b.
// Transfer ids, delivery ids and delivery counts are such numbers (AMQP 1.0
// §2.8.10).
func serialDiff(a, b uint32) int32 { return int32(a - b) }

// remaining returns how many of n items promised from position from on are
// left at position now; nothing if more are gone already. A position from that
// lies ahead of now counts as now.
func remaining(from, n, now uint32) uint32 {
	gone := serialDiff(now, from)
	if gone <= 0 {
		return n
	}
	if uint32(gone) >= n {
		return 0
	}
	return n - uint32(gone)
}
