// Command demo shows two linked sites on one machine: `make demo` and
// `make demo-down`.
//
//	up: server → apply west → link generate → apply east, link → request
//
// It types what a person would type, into the program that make has built, with
// a home of its own in the directory for temporary files. The sites and the
// server stay until `down`.
package main
