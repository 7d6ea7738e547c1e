// Package query selects records of the network observer's API: filter, time
// range, state, order, paging (API v2alpha1, compat: skupper v2
// network-observer). It knows no record; a type is compiled once into a Table of
// its fields by JSON name, and every request is checked against that.
//
//	url.Values → Parse → Query ┐
//	reflect.Type → Compile → Table.Select(records) → Page
//
// What a parameter means is decided here and nowhere else: text matches by
// prefix, numbers and booleans exactly, null never, a list if any of its
// elements does; values of one key are alternatives, keys are conditions that
// must all hold.
//
// A Query and a Table never change after they are made and are safe for
// concurrent use. Select reads the records and changes none of them.
package query
