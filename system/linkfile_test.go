package system

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/site"
)

// TestAccessesFor: a link leads to an access that others can reach, and to one
// that knows the authority of its key.
func TestAccessesFor(t *testing.T) {
	t.Parallel()
	s := &site.Site{Accesses: []site.Access{
		{Name: site.LocalAccess, Hosts: []string{"127.0.0.1"}},
		{Name: "inside", Issuer: "a", Hosts: []string{"127.0.0.1", "localhost"}},
		{Name: "outside", Issuer: "b", Hosts: []string{"127.0.0.1", "192.0.2.9"}},
		{Name: "west", Issuer: "b", Hosts: []string{"west.example.com"}},
	}}
	for _, c := range []struct {
		name, issuer string
		want         []string
	}{
		{"", "", []string{"outside", "west", "inside"}},
		{"inside", "", []string{"inside"}},
		{"", "a", []string{"inside"}},
		{"", "b", []string{"outside", "west"}},
		{"", "nobody", nil},
	} {
		var got []string
		for _, a := range accessesFor(s, c.name, c.issuer) {
			got = append(got, a.Name)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("access %q, issuer %q:\n%s", c.name, c.issuer, d)
		}
	}
}
