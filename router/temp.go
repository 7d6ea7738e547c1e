package router

import (
	"crypto/rand"
	"hash/maphash"
	"sync"
)

// discriminatorAlphabet holds the 64 characters that upstream uses in
// generated names (skupper-router 3.x, discriminator.c).
const discriminatorAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_"

const discriminatorLength = 15

// discriminator returns 15 random characters (90 bits).
func discriminator() string {
	var b [discriminatorLength]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	for i := range b {
		b[i] = discriminatorAlphabet[b[i]&63]
	}
	return string(b[:])
}

const tempShards = 64

// temps maps the last part of a temporary address ("temp.<discriminator>") to
// whoever waits for deliveries there. It is sharded because every TCP
// connection enters and leaves it.
type temps[T any] struct {
	seed   maphash.Seed
	shards [tempShards]struct {
		mu sync.RWMutex
		m  map[string]T // Guarded by mu.
	}
}

func newTemps[T any]() *temps[T] {
	t := &temps[T]{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].m = make(map[string]T)
	}
	return t
}

func (t *temps[T]) index(key string) int {
	return int(maphash.String(t.seed, key) % tempShards)
}

// add registers v under a fresh key and returns the key.
func (t *temps[T]) add(v T) string {
	for {
		key := "temp." + discriminator()
		s := &t.shards[t.index(key)]
		s.mu.Lock()
		if _, taken := s.m[key]; taken {
			s.mu.Unlock()
			continue
		}
		s.m[key] = v
		s.mu.Unlock()
		return key
	}
}

func (t *temps[T]) get(key string) (T, bool) {
	s := &t.shards[t.index(key)]
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.m[key]
	return v, ok
}

func (t *temps[T]) remove(key string) {
	s := &t.shards[t.index(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
}
