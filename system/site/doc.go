// Package site turns many resources into one valid Site: every cross-check
// between resources, every default resolved, every port and credential named.
//
//	resource.Set + Context → Build → *Site → package render
//
// What Build needs to know of the host (names, addresses, ports in use, the
// credentials that a person supplied) comes as plain values in Context; it does
// not look. The same input and Context give the same Site.
//
// Build returns every problem it finds, each a *resource.FieldError with file
// and line. What concerns one object only and must not keep the rest from
// working becomes a Fault of that object instead, where Context asks for that.
//
// The package is pure and safe for concurrent use.
package site
