// Package interop runs routers as processes, ours and upstream's, joins them
// in the topologies of a Skupper network and checks what an application sees
// through them.
//
// It holds tests only. Topologies of our router alone always run; those with
// an upstream router run when SKROUTERD names its binary and are skipped with
// that reason otherwise. `make interop` prints the result as a table.
package interop
