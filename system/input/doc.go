// Package input reads and changes what is wanted of a namespace: the resources
// below input/resources, and the certificates, authorities and proxies that a
// person supplied beside them.
//
//	files → Store.Load → Snapshot → Edit → Put, Remove → Stage → Change
//
// A Snapshot is what was there at one moment; loading again reads only files
// that changed. An Edit collects changes in memory, so that the result can be
// checked before anything is written, and keeps what a person wrote around
// them. A Change replaces whole files: it is staged in temporary files, whoever
// made it flushes them (with what else he has to flush), and it is placed, several
// files as one (with a journal). The old ones keep a second name until the Change
// is Done, or undone: going back takes no room on the disk.
//
// A Store belongs to one goroutine. Whoever writes holds the namespace's lock.
package input
