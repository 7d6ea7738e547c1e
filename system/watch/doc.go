// Package watch turns file events below directories into one mark per tree:
// "something changed, look again". A mark is a level, not a queue: however
// many events there were, whoever reads the mark looks at everything.
//
//	inotify → Watch.Run → quiet for 200 ms, at most 2 s → Tree.Changed
//
// One Watch serves any number of trees with one goroutine, the caller's of
// Run. Add and Tree.Close may be called from any goroutine.
//
// Caveats: events can be lost (queue overflow, network file systems, the
// kernel's limit on watches), so the owner of a tree looks again from time to
// time whatever the marks say. A lost queue marks every tree.
package watch
