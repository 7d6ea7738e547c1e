// Program pack makes what is released of a built program: DEB and RPM packages,
// and an archive for hosts with neither, with manual pages, completion, units,
// examples, the licences of what is in the program, and a bill of materials.
//
//	pack -program PROGRAM -arch amd64 -version 2.0.0 -into dist/packages -nfpm NFPM
//
// It reads from the checkout it is run in. The same checkout, program and
// SOURCE_DATE_EPOCH make the same bytes.
package main
