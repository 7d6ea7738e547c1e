package host

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/skupper-host/skupper/system/state"
)

// ids are numbers of a user and a group; -1 leaves one as it is.
type ids struct{ uid, gid int }

// owners translates between names and numbers, asking for each once. An
// ordinary user can give files to nobody, so that for him every owner is
// himself.
type owners struct {
	self   ids
	root   bool
	users  map[string]int
	groups map[string]int
	names  map[int]string // of users, by number
	gnames map[int]string // of groups
}

func newOwners() *owners {
	return &owners{
		self: ids{os.Geteuid(), os.Getegid()}, root: os.Geteuid() == 0,
		users: make(map[string]int), groups: make(map[string]int), names: make(map[int]string), gnames: make(map[int]string),
	}
}

// AccountError says that a user or group of the system is missing.
type AccountError struct{ Name string }

func (e *AccountError) Error() string {
	return fmt.Sprintf("user %s: the system has no such account", e.Name)
}

// Hint says who makes it.
func (e *AccountError) Hint() string {
	return "sudo skupper system install"
}

// ids gives the numbers of an owner. The error is a *AccountError for a name
// that the system does not know.
func (o *owners) ids(owner state.Owner) (ids, error) {
	if !o.root {
		return ids{-1, -1}, nil
	}
	n := o.self
	if owner.User != "" {
		uid, ok := o.users[owner.User]
		if !ok {
			u, err := user.Lookup(owner.User)
			if err != nil {
				return n, accountError(owner.User, err)
			}
			if uid, err = strconv.Atoi(u.Uid); err != nil {
				return n, &AccountError{owner.User}
			}
			o.users[owner.User] = uid
		}
		n.uid = uid
	}
	if owner.Group != "" {
		gid, ok := o.groups[owner.Group]
		if !ok {
			g, err := user.LookupGroup(owner.Group)
			if err != nil {
				return n, accountError(owner.Group, err)
			}
			if gid, err = strconv.Atoi(g.Gid); err != nil {
				return n, &AccountError{owner.Group}
			}
			o.groups[owner.Group] = gid
		}
		n.gid = gid
	}
	return n, nil
}

func accountError(name string, err error) error {
	var u user.UnknownUserError
	var g user.UnknownGroupError
	if errors.As(err, &u) || errors.As(err, &g) {
		return &AccountError{name}
	}
	return fmt.Errorf("user %s: %w", name, err)
}

// owner gives the names of numbers, empty for one's own. A number without a
// name is its own name.
func (o *owners) owner(n ids) state.Owner {
	if !o.root {
		return state.Owner{}
	}
	var owner state.Owner
	if n.uid != o.self.uid {
		owner.User = name(o.names, n.uid, func(id string) (string, error) {
			u, err := user.LookupId(id)
			if err != nil {
				return "", err
			}
			return u.Username, nil
		})
	}
	if n.gid != o.self.gid {
		owner.Group = name(o.gnames, n.gid, func(id string) (string, error) {
			g, err := user.LookupGroupId(id)
			if err != nil {
				return "", err
			}
			return g.Name, nil
		})
	}
	return owner
}

func name(known map[int]string, n int, look func(string) (string, error)) string {
	if text, ok := known[n]; ok {
		return text
	}
	id := strconv.Itoa(n)
	text, err := look(id)
	if err != nil {
		text = id
	}
	known[n] = text
	return text
}
