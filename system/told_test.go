package system

import (
	"strings"
	"testing"

	"github.com/skupper-host/skupper/system/api"
)

// secretFile is a Secret with a key of somebody.
func secretFile(key string) api.File {
	return api.File{Name: "secret.yaml", Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: mine}\nstringData: {tls.key: " + key + ", tls.crt: public}\n")}
}

// TestADryRunShowsDocuments looks at what a dry run says of each object before
// and after, and that it never says a key.
func TestADryRunShowsDocuments(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"), secretFile("tellnobody"))
	dry := func(files ...api.File) map[string]api.Change {
		t.Helper()
		r, err := a.Apply(t.Context(), "west", api.ApplyRequest{Files: files, Prune: true, DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		list := map[string]api.Change{}
		for _, c := range r.Changes {
			list[c.Object] = c
			if text := c.Before + c.After; strings.Contains(text, "tellnobody") || strings.Contains(text, "dGVsbG5vYm9keQ") {
				t.Errorf("%s shows its key:\n%s", c.Object, text)
			}
		}
		return list
	}

	list := dry(siteFile("west", ""), listenerFile("db", "5433"), listenerFile("web", "8080"), secretFile("neither"))
	if c := list["site/west"]; c.Before != "" || c.After != "" {
		t.Errorf("what does not change is shown: %+v", c)
	}
	if c := list["listener/db"]; !strings.Contains(c.Before, "port: 5432") || !strings.Contains(c.After, "port: 5433") || strings.Contains(c.Before, "status:") {
		t.Errorf("changed: %+v", c)
	}
	if c := list["listener/web"]; c.Before != "" || !strings.Contains(c.After, "port: 8080") {
		t.Errorf("created: %+v", c)
	}
	if c := list["secret/mine"]; !strings.HasSuffix(c.Before, "# data.tls.key: not shown\n") || !strings.HasSuffix(c.After, "# data.tls.key: not shown; another one\n") {
		t.Errorf("a secret: %+v", c)
	}

	list = dry(siteFile("west", ""))
	if c := list["listener/db"]; c.Action != api.Deleted || !strings.Contains(c.Before, "port: 5432") || c.After != "" {
		t.Errorf("pruned: %+v", c)
	}
	gone, err := a.Delete(t.Context(), "west", api.DeleteRequest{Objects: []api.Ref{{Kind: "listener", Name: "db"}}, DryRun: true})
	if err != nil || len(gone.Changes) != 1 || !strings.Contains(gone.Changes[0].Before, "port: 5432") {
		t.Errorf("deleted: %+v, %v", gone, err)
	}
	patched, err := a.Patch(t.Context(), "west", api.PatchRequest{Object: api.Ref{Kind: "listener", Name: "db"}, Fields: map[string]any{"spec.port": 7000}, DryRun: true})
	if err != nil || len(patched.Changes) != 1 || !strings.Contains(patched.Changes[0].After, "port: 7000") {
		t.Errorf("patched: %+v, %v", patched, err)
	}

	r, err := a.Apply(t.Context(), "west", api.ApplyRequest{Files: []api.File{siteFile("west", ""), listenerFile("db", "5433")}})
	if err != nil || r.Changes[1].Before != "" {
		t.Errorf("what is done is not shown: %+v, %v", r, err)
	}
}
