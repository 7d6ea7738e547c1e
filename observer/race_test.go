//go:build race

package observer

// raced: the program is slow, and packing a console takes longer than all else.
const raced = true
