package system

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// TestTokenThroughAProxy: a token is redeemed through the proxy that it names.
func TestTokenThroughAProxy(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
		asked <- r.Method + " " + r.Host + " " + user + ":" + password
		http.Error(w, "not that far", http.StatusForbidden)
	}))
	defer proxy.Close()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	paths, err := o.Paths.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far := httptest.NewTLSServer(http.NotFoundHandler())
	defer far.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: far.Certificate().Raw}))
	for file, text := range map[string]string{"host": host, "port": port + "\n", "username": "joe", "password.txt": "secret\n"} {
		path := filepath.Join(paths.InputProxy("way-out"), file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tok := &resource.AccessToken{Meta: resource.Meta{Name: "far"}}
	tok.Spec.URL, tok.Spec.Code, tok.Spec.CA = "https://far.example:9090/uid", "code", ca
	tok.Spec.Settings = resource.Settings{resource.SettingProxy: "way-out"}
	redeem := func() error {
		_, err := a.Redeem(t.Context(), "west", api.RedeemRequest{File: api.File{Name: "far.token", Data: resource.EncodeYAML(tok)}})
		return err
	}
	if err := redeem(); err == nil {
		t.Error("redeemed through a proxy that refuses")
	}
	if got := <-asked; got != "CONNECT far.example:9090 joe:secret" {
		t.Errorf("the proxy was asked %q", got)
	}
	tok.Spec.Settings[resource.SettingProxy] = "nowhere"
	if err := redeem(); err == nil || len(asked) > 0 {
		t.Errorf("a proxy that nobody described: %v", err)
	}
}
