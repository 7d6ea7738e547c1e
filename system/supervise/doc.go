// Package supervise keeps processes running where no service manager does it:
// the built-in supervisor of the linux platform.
//
//	Start → fork (own session, lock, log) → READY=1 → active → ended? → again, after a while
//
// A process outlives its supervisor. It is in a session of its own, writes its
// log into a file, and holds a lock by an inherited descriptor. A record beside
// the lock says which process it is: its number, the time of its start and the
// boot, so that a number that was given out again is not taken for it. A
// supervisor that comes up finds the record and goes on where the last one
// ended; if the record is lost, the lock still leads to the process.
//
// Processes tell that they are ready, and that they are alive, as they would tell
// systemd: by datagrams to NOTIFY_SOCKET (sd_notify(3)). Only those of the
// process itself count.
//
// A process that ends by itself is started again: at once if it had been running
// well, otherwise after a second, and if it does not even become ready after
// ever longer times up to a minute.
//
// The log is rotated by copying it and cutting it off, because the process must
// be able to write while there is no supervisor that could tell it to open
// another file. A line that is written in between, some microseconds, is lost.
//
// One goroutine, run for each process, owns its state; others send it requests.
// A Supervisor is safe for concurrent use.
package supervise
