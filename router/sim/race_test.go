//go:build race

package sim

// raceEnabled is true under the race detector, which finds nothing in code
// without goroutines and makes large networks take minutes.
const raceEnabled = true
