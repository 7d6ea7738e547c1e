package router

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/vanflow"
)

// remembering is the source of a site that keeps in a file which processes
// observers know of. The id of the source survives a restart, so that they
// neither ask again nor forget what is not there any more: the next run says so.
type remembering struct {
	*vanflow.Controller
	path string
	log  *slog.Logger

	compared atomic.Bool // with those of the run before

	// Owned by Step, once they are compared: what the file says.
	last []string
}

// remembered is the content of the file.
type remembered struct {
	Site      string   `json:"site"`
	Processes []string `json:"processes"`
}

// Step implements vanflow.Source.
func (s *remembering) Step(now time.Time, usable vanflow.Usable) vanflow.Output {
	out := s.Controller.Step(now, usable)
	if s.compared.Load() {
		s.keep()
	}
	return out
}

// keep writes the file if it is to be another one.
func (s *remembering) keep() {
	list := s.Processes()
	if slices.Equal(list, s.last) {
		return
	}
	s.last = list
	text, err := json.Marshal(remembered{s.ID(), list})
	if err == nil {
		err = os.WriteFile(s.path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err != nil {
		s.log.Warn("processes of the site are not remembered", "module", "FLOW_LOG", "err", err)
	}
}

// compare ends what the run before has told of and what is not there now.
func (s *remembering) compare(now time.Time) {
	var was remembered
	text, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = nil
	case err == nil:
		if err = json.Unmarshal(text, &was); err != nil {
			err = fmt.Errorf("%s: %w", s.path, err)
		}
	}
	if err != nil {
		s.log.Warn("processes of the run before are unknown", "module", "FLOW_LOG", "err", err)
	}
	if was.Site == s.ID() {
		s.Retire(now, was.Processes...)
		s.last = was.Processes
	}
	s.compared.Store(true)
}
