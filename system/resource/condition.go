package resource

import "time"

// Values of Health.Status and of Condition.Reason.
const (
	StatusPending = "Pending"
	StatusError   = "Error"
	StatusReady   = "Ready"
)

// Values of Condition.Status.
const (
	ConditionTrue    = "True"
	ConditionFalse   = "False"
	ConditionUnknown = "Unknown"
)

// Types of conditions. ConditionReady mirrors the result of the others.
const (
	ConditionConfigured  = "Configured"
	ConditionRunning     = "Running"
	ConditionResolved    = "Resolved"
	ConditionMatched     = "Matched"
	ConditionOperational = "Operational"
	ConditionProcessed   = "Processed"
	ConditionRedeemed    = "Redeemed"
	ConditionReady       = "Ready"
)

// messageOK is the message of what is Ready.
const messageOK = "OK"

// Condition is one thing that can be said about an object, in the shape of a
// Kubernetes condition.
type Condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"` // True, False, Unknown
	Reason             string    `json:"reason"` // Pending, Error, Ready
	Message            string    `json:"message"`
	LastTransitionTime time.Time `json:"lastTransitionTime"` // UTC, whole seconds
	ObservedGeneration int64     `json:"observedGeneration"`
}

// Set states a condition. The transition time becomes now only if the status
// of the condition changes. It reports whether anything changed.
func (h *Health) Set(c Condition, now time.Time) bool {
	c.LastTransitionTime = now.UTC().Truncate(time.Second)
	for i := range h.Conditions {
		old := &h.Conditions[i]
		if old.Type != c.Type {
			continue
		}
		if old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		changed := *old != c
		*old = c
		return changed
	}
	h.Conditions = append(h.Conditions, c)
	return true
}

// Condition finds a condition; nil if it was never stated.
func (h *Health) Condition(typ string) *Condition {
	for i := range h.Conditions {
		if h.Conditions[i].Type == typ {
			return &h.Conditions[i]
		}
	}
	return nil
}

// RequiredConditions lists the conditions that make o Ready, in the order in
// which the first missing one decides its message. It is empty for kinds
// without a status.
func RequiredConditions(o Object) []string {
	switch o := o.(type) {
	case *Site:
		if o.Spec.AcceptsLinks() {
			return []string{ConditionConfigured, ConditionRunning, ConditionResolved}
		}
		return []string{ConditionConfigured, ConditionRunning}
	case *Listener, *Connector:
		return []string{ConditionConfigured, ConditionMatched}
	case *MultiKeyListener, *Link:
		return []string{ConditionConfigured, ConditionOperational}
	case *RouterAccess, *SecuredAccess:
		return []string{ConditionConfigured, ConditionResolved}
	case *AccessGrant:
		return []string{ConditionProcessed, ConditionResolved}
	case *AccessToken:
		return []string{ConditionRedeemed}
	case *Certificate:
		return []string{ConditionReady}
	}
	return nil
}

// AcceptsLinks reports whether link access is asked for.
func (s SiteSpec) AcceptsLinks() bool {
	return s.LinkAccess != "" && s.LinkAccess != LinkAccessNone
}

// LinkAccessNone and LinkAccessDefault are the values of SiteSpec.LinkAccess
// that mean something off Kubernetes.
const (
	LinkAccessNone    = "none"
	LinkAccessDefault = "default"
)

// Aggregate computes status and message of o from its conditions, and its
// Ready condition where the kind has one (all but MultiKeyListener,
// AccessToken and Certificate). It reports whether anything changed.
func Aggregate(o Object, now time.Time) bool {
	h := o.Health()
	if h == nil {
		return false
	}
	status, message := StatusReady, messageOK
	for _, typ := range RequiredConditions(o) {
		c := h.Condition(typ)
		if c == nil {
			status, message = StatusPending, "Not "+typ
			break
		}
		if c.Status != ConditionTrue {
			status, message = c.Reason, c.Message
			break
		}
		if c.Message != "" && c.Message != messageOK {
			message = c.Message
		}
	}
	changed := h.Status != status || h.Message != message
	h.Status, h.Message = status, message
	switch o.(type) {
	case *MultiKeyListener, *AccessToken, *Certificate:
		return changed
	}
	mirror := Condition{Type: ConditionReady, Status: ConditionFalse, Reason: status, Message: message}
	if status == StatusReady {
		mirror.Status = ConditionTrue
	}
	return h.Set(mirror, now) || changed
}
