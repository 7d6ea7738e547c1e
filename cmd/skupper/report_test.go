package main

import "testing"

// TestAdviceForANamespace: commands of this site can be typed as they stand, those
// of another site are left alone.
func TestAdviceForANamespace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ advice, want string }{
		{"`skupper system start` starts it", "`skupper -n west system start` starts it"},
		{"`skupper site create NAME` makes it; `skupper namespace list` lists those", "`skupper -n west site create NAME` makes it; `skupper namespace list` lists those"},
		{"taken; end that program, or: `skupper listener update db --port PORT`", "taken; end that program, or: `skupper -n west listener update db --port PORT`"},
		{"`skupper -n east system logs` tells more", "`skupper -n east system logs` tells more"},
		{"`skupper system status` shows how it goes on", "`skupper system status` shows how it goes on"},
		{"`skupper listener create --help` lists the flags", "`skupper listener create --help` lists the flags"},
		{"tokens are made by `skupper token issue` on the other site", "tokens are made by `skupper token issue` on the other site"},
		{"on the site of the server: `skupper connector create db PORT`", "on the site of the server: `skupper connector create db PORT`"},
		{"have that site cover the host: `skupper link generate --host h` there", "have that site cover the host: `skupper link generate --host h` there"},
		{"`loginctl enable-linger u`, or half a `skupper site", "`loginctl enable-linger u`, or half a `skupper site"},
	} {
		if got := inNamespace(row.advice, "west"); got != row.want {
			t.Errorf("%s\nwant %s", got, row.want)
		}
	}
	p := &program{}
	if got := p.here("`skupper system start`"); got != "`skupper system start`" {
		t.Errorf("nobody asked for a namespace: %s", got)
	}
}
