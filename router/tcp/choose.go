package tcp

// Strategy says to which of a listener's addresses a client is sent.
type Strategy uint8

// Strategies, as tcpListener's multiAddressStrategy.
const (
	Single   Strategy = iota // there is one address
	Priority                 // the reachable one with the highest value
	Weighted                 // a reachable one at random, with probability value / sum
)

// Target is an address that a listener sends clients to.
type Target struct {
	Address string
	Value   int // priority or weight
}

// target is a Target and what is known of it.
type target struct {
	Target
	since  uint64 // order in which targets became reachable; 0 = it is not
	opened uint64 // clients sent there
}

// choose returns the target for a client, nil if there is none at all. Without
// a reachable one it is the first, whose streams fail. random(n) returns a
// number below n.
func choose(strategy Strategy, targets []*target, random func(n int) int) *target {
	var best *target
	sum := 0
	for _, t := range targets {
		if t.since == 0 {
			continue
		}
		sum += max(t.Value, 0)
		if best == nil || t.Value > best.Value || t.Value == best.Value && t.since < best.since {
			best = t
		}
	}
	if best == nil && len(targets) > 0 {
		return targets[0]
	}
	if strategy != Weighted || sum == 0 {
		return best
	}
	at := random(sum)
	for _, t := range targets {
		if t.since == 0 || t.Value <= 0 {
			continue
		}
		if at -= t.Value; at < 0 {
			return t
		}
	}
	return best
}
