//go:build race

package main

// raceDetector reports that the test runs beside the race detector.
const raceDetector = true
