package plan

import (
	"github.com/skupper-host/skupper/system/state"
)

// Op is what a Step does.
type Op int

// The operations, in the order in which a plan has them.
const (
	MakeDir      Op = iota // create Path, or give it another mode or owner
	Write                  // write Files
	Add                    // the router will create the entity Subject
	Change                 // the router will change it
	Remove                 // the router will remove it
	Load                   // have the supervisor read its unit files again
	Enable                 // have Unit start with the machine
	Disable                // the contrary
	Start                  // start Unit
	Reload                 // have Unit read its files again
	Restart                // restart Unit
	Stop                   // stop Unit
	Delete                 // remove Files
	RemoveDir              // remove the directory Path, if it is empty
)

// Step is one change of the machine.
type Step struct {
	Op      Op
	Path    string                // MakeDir, RemoveDir
	Dir     state.Dir             // MakeDir
	Files   map[string]state.File // Write, by path; Delete: as they were
	Subject string                // what is changed, in words
	Detail  string                // how, in words
	Unit    string                // name, for operations on units
	Spec    state.Unit            // wanted unit; zero for Stop and Disable of one that goes
	Counted bool                  // a change in the eyes of a person
	New     bool                  // Write: none of Files exists
	Drops   int64                 // connections that end by it
}

// Summary is what a plan amounts to.
type Summary struct {
	Adds, Changes, Removes int
	Dropped                int64 // connections
}
