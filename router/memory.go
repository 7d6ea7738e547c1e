package router

import (
	"fmt"
	"os"
	"runtime"

	"github.com/skupper-host/skupper/router/manage"
)

// Allocators implements manage.Store: the size classes of the Go heap that are
// in use.
func (s store) Allocators() (rows []manage.Allocator) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	for _, c := range mem.BySize {
		if c.Mallocs > 0 {
			rows = append(rows, manage.Allocator{
				TypeName: fmt.Sprintf("heap_%d", c.Size), TypeSize: int(c.Size), TransferBatchSize: 1,
				TotalAllocFromHeap: int(c.Mallocs), TotalFreeToHeap: int(c.Frees), HeldByThreads: int(c.Mallocs - c.Frees),
			})
		}
	}
	return rows
}

// processMemory returns the address space and the resident memory of this
// process, in octets, as the system sees them; without a system that says so
// what the Go runtime knows.
func processMemory() (virtual, resident uint64) {
	var pages [2]uint64
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &pages[0], &pages[1])
	}
	if err != nil {
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		return mem.Sys, mem.Sys - mem.HeapReleased
	}
	size := uint64(os.Getpagesize())
	return pages[0] * size, pages[1] * size
}
