package state

import (
	"strconv"
	"testing"
	"time"
)

var epoch = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

func handed(serial string) Handed {
	return Handed{Name: "east", Serial: serial, Grant: "east", Renew: "west:9090", Issued: epoch, NotAfter: epoch.Add(300 * 24 * time.Hour)}
}

func TestLedgerKeepsWhatCanBeRenewed(t *testing.T) {
	t.Parallel()
	file := handed("f")
	file.File = true
	before := Ledger{handed("a"), file}
	after := before.Renew(before[0], handed("b"), epoch.Add(time.Hour))
	if len(before) != 2 || !before[0].Renewed.IsZero() {
		t.Errorf("the ledger itself has changed: %+v", before)
	}
	a, ok := after.Find("a")
	if !ok || !a.Renewed.Equal(epoch.Add(time.Hour)) {
		t.Errorf("the old certificate is %+v, %v", a, ok)
	}
	b, _ := after.Find("b")
	third := after.Renew(b, handed("c"), epoch.Add(2*time.Hour))
	if c, _ := third.Find("c"); b.Origin != "a" || c.Origin != "a" || c.Credential() != "a" {
		t.Errorf("origins %q and %q, want a", b.Origin, c.Origin)
	}
	late := third.With(handed("d"), a.NotAfter.Add(GraceAfterExpiry))
	if len(late) != 2 || late[0].Serial != "f" || late[1].Serial != "d" {
		t.Errorf("after all have ended: %+v", late)
	}
	if _, ok := (Ledger{{}}).Find(""); ok {
		t.Error("a record without a number is found")
	}
}

func TestLedgerCountsRenewals(t *testing.T) {
	t.Parallel()
	l, now := Ledger{handed("0"), handed("other")}, epoch.Add(200*24*time.Hour)
	old := l[0]
	for i := range maxRenewals {
		if l.TooOften(old, now) {
			t.Fatalf("too often after %d", i)
		}
		next := handed(string(rune('a' + i)))
		l = l.Renew(old, next, now)
		old, _ = l.Find(next.Serial)
		now = now.Add(time.Minute)
	}
	first, _ := l.Find("0")
	other, _ := l.Find("other")
	if !l.TooOften(old, now) || !l.TooOften(first, now) || l.TooOften(other, now) {
		t.Error("the count is not that of one credential")
	}
	if l.TooOften(old, now.Add(renewalsWithin)) {
		t.Error("it is for ever")
	}
}

func TestSameRequestIsAnsweredTheSame(t *testing.T) {
	t.Parallel()
	now := epoch.Add(200 * 24 * time.Hour)
	l := Ledger{handed("0")}
	next := handed("1")
	next.Key = "k"
	l = l.Renew(l[0], next, now)
	old, _ := l.Find("0")
	next, _ = l.Find("1")
	for _, row := range []struct {
		of    Handed
		key   string
		after time.Duration
		want  bool
	}{
		{old, "k", time.Hour, true},
		{old, "k", renewalsWithin, false}, // it is another one then
		{old, "other", time.Hour, false},
		{old, "", time.Hour, false},
		{next, "k", time.Hour, false}, // who keeps his key
	} {
		if got, ok := l.Answered(row.of, row.key, now.Add(row.after)); ok != row.want || ok && got.Serial != "1" {
			t.Errorf("of %s, key %q, after %v: %s, %v", row.of.Serial, row.key, row.after, got.Serial, ok)
		}
	}
}

func TestLedgerStaysShort(t *testing.T) {
	t.Parallel()
	file := handed("file")
	file.File = true
	l, now := Ledger{file, handed("other"), handed("0")}, epoch
	shown := l[2]
	for i := range 300 {
		next := handed(strconv.Itoa(i + 1))
		l = l.Renew(shown, next, now)
		if _, ok := l.Find(shown.Serial); !ok {
			t.Fatalf("after %d: the certificate that was shown is gone, and perhaps the answer was", i)
		}
		if got, ok := l.Find(next.Serial); !ok {
			t.Fatalf("after %d: %+v is not there", i, got)
		} else if i%7 > 2 {
			shown = got
		}
		now = now.Add(time.Minute)
	}
	if most := 2 + maxRenewals + 2; len(l) > most || l[0].Serial != "file" || l[1].Serial != "other" {
		t.Errorf("%d records, want at most %d", len(l), most)
	}
	if !l.TooOften(shown, now) {
		t.Error("what was struck out is not counted any more")
	}
}

func TestRevokedThroughAGrant(t *testing.T) {
	t.Parallel()
	link := handed("x")
	link.Grant = ""
	l := Ledger{handed("a"), handed("b"), link}
	next, n := l.Revoke("east")
	if n != 2 || !next[0].Revoked || !next[1].Revoked || next[2].Revoked || l[0].Revoked {
		t.Errorf("%d revoked: %+v", n, next)
	}
	if _, n := next.Revoke("east"); n != 0 {
		t.Errorf("%d revoked again", n)
	}
	if _, n := l.Revoke(""); n != 0 {
		t.Errorf("%d revoked of no grant", n)
	}
}

func TestWhenSomebodyMayAsk(t *testing.T) {
	t.Parallel()
	h := handed("a")
	day := 24 * time.Hour
	from, until := h.Asking()
	if !from.Equal(epoch.Add(199*day)) || !until.Equal(epoch.Add(307*day)) {
		t.Errorf("from %v until %v", from, until)
	}
	h.Renewed = epoch.Add(201 * day)
	if _, until := h.Asking(); !until.Equal(epoch.Add(208 * day)) {
		t.Errorf("renewed: until %v", until)
	}
	for name, change := range map[string]func(*Handed){
		"not told":       func(h *Handed) { h.Renew = "" },
		"revoked":        func(h *Handed) { h.Revoked = true },
		"in a link file": func(h *Handed) { h.File = true },
	} {
		h := handed("a")
		change(&h)
		if from, until := h.Asking(); !from.IsZero() || !until.IsZero() {
			t.Errorf("%s: from %v until %v", name, from, until)
		}
	}
}
