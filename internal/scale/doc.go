// Command scale measures what a large site costs, and what many sites on one
// host cost: `make scale`.
//
//	site of n listeners and n connectors: apply → apply again → change one
//	hosts with many sites: start them → wait → look at every process
//
// It types what a person would type, into the program that make has built, with
// a home of its own in the directory for temporary files, and prints Markdown
// tables. It judges nothing.
package main
