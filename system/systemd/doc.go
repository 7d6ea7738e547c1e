// Package systemd talks to a service manager over D-Bus, the system's or a
// user's, and to whoever supervises this process over its notify socket.
//
// Conn is the first: load unit files, enable, start, reload, stop, ask. Each
// method returns when the manager has done it. Notifier is the second: tell
// that the process is ready, what it does, and that it is alive.
//
// A manager is reached at its private socket where there is one: that takes no
// message bus, and works for a user who has no session.
//
// Both types are safe for concurrent use.
//
// Caveats: a reload ends when the signal is sent, unless the process says itself
// that it is reloading. Whether it took its configuration must be asked of it.
package systemd
