package host

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

func TestWhoseGroup(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("9ab6d6850677a944", 4)
	for group, want := range map[string][2]string{
		"/system.slice/docker-" + id + ".scope":            {"container 9ab6d6850677 of docker", "docker-" + id + ".scope"},
		"/docker/" + id:                                    {"container 9ab6d6850677 of docker", ""},
		"/machine.slice/libpod-" + id + ".scope/container": {"container 9ab6d6850677 of podman", "libpod-" + id + ".scope"},
		"/user.slice/user-4294967294.slice/user@4294967294.service/user.slice/libpod-" + id + ".scope": {"container 9ab6d6850677 of podman", "libpod-" + id + ".scope of uid 4294967294"},
		"/system.slice/nginx.service": {"", "nginx.service"},
		"/user.slice/user-4294967294.slice/user@4294967294.service/app.slice/web.service": {"", "web.service of uid 4294967294"},
		"/system.slice/system-getty.slice":                                                {"", ""},
		"/system.slice/docker-abc.scope":                                                  {"", "docker-abc.scope"},
		"":                                                                                {"", ""},
	} {
		if got := [2]string{containerIn(group), unitIn(group)}; got != want {
			t.Errorf("%s: %q, want %q", group, got, want)
		}
	}
}

func TestParseDiag(t *testing.T) {
	t.Parallel()
	e := binary.NativeEndian
	head := make([]byte, diagMessage)
	e.PutUint32(head[diagInode:], 4711)
	attribute := func(kind uint16, data ...byte) []byte {
		a := e.AppendUint16(nil, uint16(4+len(data)))
		a = append(e.AppendUint16(a, kind), data...)
		return append(a, make([]byte, -len(a)&3)...)
	}
	group := attribute(attrCgroup, e.AppendUint64(nil, 99)...)
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"the group":             {append(append(head[:diagMessage:diagMessage], attribute(8, 0)...), group...), true},
		"no group":              {append(head[:diagMessage:diagMessage], attribute(8, 0)...), false},
		"no attributes":         {head, false},
		"cut in the message":    {head[:diagInode], false},
		"cut in the group":      {append(head[:diagMessage:diagMessage], group[:8]...), false},
		"a length of nothing":   {append(head[:diagMessage:diagMessage], make([]byte, 8)...), false},
		"a group that is short": {append(head[:diagMessage:diagMessage], attribute(attrCgroup, 1)...), false},
	} {
		inode, id, ok := parseDiag(c.data)
		if ok != c.ok || ok && (inode != 4711 || id != 99) {
			t.Errorf("%s: %d %d %v", name, inode, id, ok)
		}
	}
}

// TestNamedGroups finds the directory of a control group by its inode.
func TestNamedGroups(t *testing.T) {
	t.Parallel()
	if got := namedGroups(map[uint64]bool{^uint64(0): true}); len(got) > 0 {
		t.Errorf("found %v", got)
	}
	if _, err := os.Stat("/sys/fs/cgroup"); err == nil {
		_ = groupsOf() // whatever this kernel says
	}
}
