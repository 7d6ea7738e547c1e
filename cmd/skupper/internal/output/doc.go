// Package output writes what a command found: tables for people, JSON and YAML
// for programs, names for scripts.
//
// Tables are left-aligned with two blanks between columns and never hold a
// tab. One object is printed bare; several are a List in JSON and a stream of
// documents in YAML. Zero values are left out, but a false in a status says
// something and stays.
//
// Nothing here knows what it prints, and nothing is written before all of it
// is made: a broken value leaves no half document behind.
package output
