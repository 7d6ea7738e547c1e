package system

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/skupper-host/skupper/system/token/pipe"
)

// TestMain has the test binary be the process of a grant server where an agent
// of a test starts it as such.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "grant-server" {
		if err := pipe.Run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
