package footprint

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Shrink gives back the pages of the program's own file that starting has
// mapped: with what the kernel maps around each page, that is most of a program
// that is also a command line and an agent. What is used again comes back from
// the page cache. It returns how many bytes were resident; 0, nil where the
// kernel does not tell.
func Shrink() (int, error) {
	text, err := os.ReadFile("/proc/self/smaps")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	resident := 0
	for _, m := range clean(text, program) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return resident, os.NewSyscallError("madvise", errno)
		}
		resident += m.resident
	}
	return resident, nil
}

// mapping is a part of the program's file in memory.
type mapping struct {
	start, end uintptr
	resident   int // bytes
}

// clean returns the parts of the program that are in memory as they are in its
// file, and cannot be written: dropping any other would lose what was written.
// text is as proc_pid_smaps(5).
func clean(text []byte, program string) []mapping {
	var all []mapping
	var m mapping
	candidate, resident, anonymous := false, 0, -1
	end := func() {
		if candidate && anonymous == 0 && resident > 0 {
			m.resident = resident << 10
			all = append(all, m)
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.Contains(key, " ") {
			var kib int
			if _, err := fmt.Sscanf(value, "%d kB", &kib); err != nil {
				continue
			}
			switch key {
			case "Rss":
				resident = kib
			case "Anonymous":
				anonymous = kib
			}
			continue
		}
		end()
		m, candidate = header(line, program)
		resident, anonymous = 0, -1
	}
	end()
	return all
}

// header reads "start-end perms offset device inode path"; ok tells a mapping of
// the program that cannot be written.
func header(line, program string) (m mapping, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || !strings.HasSuffix(line, " "+program) || !strings.HasPrefix(fields[1], "r-") {
		return m, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	return mapping{start: uintptr(start), end: uintptr(end)}, err1 == nil && err2 == nil && start < end
}
