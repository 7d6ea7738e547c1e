package footprint

import (
	"os"
	"slices"
	"testing"
)

// TestClean: only what is as in the program's file is dropped.
func TestClean(t *testing.T) {
	const text = `00400000-00df2000 r-xp 00000000 08:01 42   /usr/bin/skupper
Size:              10184 kB
Rss:                9000 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00df2000-01895000 r--p 009f2000 08:01 42   /usr/bin/skupper
Rss:                 100 kB
Anonymous:             4 kB
01895000-018b0000 rw-p 01495000 08:01 42   /usr/bin/skupper
Rss:                 108 kB
Anonymous:             0 kB
01900000-01a00000 r--p 01495000 08:01 42   /usr/bin/skupper
Rss:                   0 kB
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 08:01 43   /usr/lib/libc.so.6
Rss:                   4 kB
Anonymous:             0 kB
7f0000001000-7f0000002000 r--p 00000000 08:01 43   /opt/my /usr/bin/skupper.old
Rss:                   4 kB
Anonymous:             0 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0   [stack]
Rss:                  12 kB
Anonymous:            12 kB
`
	want := []mapping{{0x400000, 0xdf2000, 9000 << 10}}
	if got := clean([]byte(text), "/usr/bin/skupper"); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := clean([]byte("rubbish\n: x\n1-2 r--p\n"), ""); got != nil {
		t.Errorf("of rubbish: %+v", got)
	}
}

// TestShrink: what was mapped for nothing is gone, and everything still works.
func TestShrink(t *testing.T) {
	before, err := Shrink()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	after := 0
	for _, m := range clean(text, program) {
		after += m.resident
	}
	if before == 0 || after >= before {
		t.Errorf("%d bytes of the program were resident, now %d", before, after)
	}
}
