package router

import (
	"fmt"
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
