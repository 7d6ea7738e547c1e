// Package floorplan holds the house rules as failing tests: which package may
// import which and why not, one package comment each in doc.go, words that
// name nothing, goroutines only where somebody waits for them, no package
// variable that changes, no exit and no print below cmd.
//
// The rules are the tables of plan_test.go. A new package needs a row there;
// an exception needs a sentence.
package floorplan
