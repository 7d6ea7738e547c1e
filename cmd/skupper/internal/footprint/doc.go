// Package footprint makes a process that lives long as small as what it does.
package footprint
