// Package box boots throw-away hosts with systemd for tests: the machine's own
// userland on an overlay of its root, so that nothing done inside reaches the
// disk. A test that is not run by root, or under the race detector, is skipped.
//
//	b := box.New(t, box.Options{})
//	b.Put(t, program, "/usr/local/bin/skupper")
//	b.Sh(t, "systemctl", "start", "skupper")          // as root
//	b.As(t, "ann", "skupper", "system", "status")     // in a login session
//	b.Reboot(t); b.Crash(t)                            // the disk stays
//
// It is for tests only, of whatever package, and for root on Linux with
// systemd-nspawn. It is not a container engine: nothing is isolated from a
// malicious process inside.
package box
