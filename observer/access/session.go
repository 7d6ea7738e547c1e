package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	sessionIdle = 8 * time.Hour
	sessionLife = 24 * time.Hour
	maxSessions = 1000
)

// token is what the store keeps of the value of a cookie: who reads the memory
// of the process does not read cookies, and looking one up by its digest tells
// nothing by the time it takes.
type token [sha256.Size]byte

type session struct {
	user  string
	entry entry // of the user when the session began
	born  time.Time
	used  time.Time
	open  map[*context.CancelFunc]struct{} // requests that are being answered
}

func (s *session) ends() time.Time {
	end := s.born.Add(sessionLife)
	if idle := s.used.Add(sessionIdle); idle.Before(end) && len(s.open) == 0 {
		return idle
	}
	return end
}

// sessions are those who have logged in.
type sessions struct {
	mu  sync.Mutex
	all map[token]*session // guarded by mu, and what is in it
}

// begin makes a session and returns the value of its cookie.
func (s *sessions) begin(user string, e entry, now time.Time) (cookie string) {
	cookie = rand.Text() + rand.Text() // 260 bits
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= maxSessions {
		s.forget(now)
	}
	s.all[sha256.Sum256([]byte(cookie))] = &session{user: user, entry: e, born: now, used: now, open: map[*context.CancelFunc]struct{}{}}
	return cookie
}

// forget makes room: sessions that have ended, or else the one that has not
// been used for longest. mu is held.
func (s *sessions) forget(now time.Time) {
	var oldest token
	var found *session
	for t, one := range s.all {
		switch {
		case !now.Before(one.ends()):
			s.drop(t)
		case found == nil || one.used.Before(found.used):
			oldest, found = t, one
		}
	}
	if len(s.all) >= maxSessions {
		s.drop(oldest)
	}
}

// drop ends a session and the requests in it. mu is held.
func (s *sessions) drop(t token) {
	one := s.all[t]
	if one == nil {
		return
	}
	for cancel := range one.open {
		(*cancel)()
	}
	delete(s.all, t)
}

// end ends the session of a cookie.
func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(sha256.Sum256([]byte(cookie)))
}

// find returns the session of a cookie, nil if there is none. Its user and
// entry may be read without the lock.
func (s *sessions) find(cookie string, now time.Time) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := token(sha256.Sum256([]byte(cookie)))
	one := s.all[t]
	if one == nil {
		return nil
	}
	if !now.Before(one.ends()) {
		s.drop(t)
		return nil
	}
	one.used = now
	return one
}

// join has the context end with the session. The caller calls leave when the
// request is answered.
func (s *sessions) join(ctx context.Context, one *session) (_ context.Context, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, one.born.Add(sessionLife))
	one.open[&cancel] = struct{}{}
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(one.open, &cancel)
		cancel()
	}
}
