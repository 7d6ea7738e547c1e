// Package host is where a machine is looked at and changed: files, units,
// locks, ports. It applies a plan; it does not interpret it.
//
//	Open (lock, finish what was interrupted) → Observe → State
//	Apply: directories → stage → journal → rename, units → confirm → clean up
//
// A change is a transaction. The new content of every file is first written
// beside its target and flushed, and a journal names what will be done; until
// then nothing has changed. After that each target is replaced by a rename, so
// that a reader sees the old file or the new one, whole. If a step fails, the
// way back is a plan as well, towards the State that was observed before; it
// needs no space on the disk, because the old files were kept by a second name.
// If the process dies, whoever opens the namespace next completes the journal.
//
// What lies below a namespace is reached by directory descriptors that follow
// no symbolic links: in the system instance some of these directories belong to
// the user of the routers.
//
// A Host is safe for concurrent use. A Namespace belongs to one goroutine, and
// its lock keeps other processes out.
package host
