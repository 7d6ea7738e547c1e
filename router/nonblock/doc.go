// Package nonblock reads and writes sockets without telling the scheduler.
//
// A system call normally gives its processor away if it lasts, and a thread of
// the runtime looks every 20 µs whether one does. On a socket in non-blocking
// mode none lasts: it moves what there is room for. A proxy makes hardly any
// other calls, so that the looking, and the threads it wakes, become a tenth of
// what a small message costs. Waiting is the runtime's poller's, as always.
package nonblock
