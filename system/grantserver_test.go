package system

import (
	"context"
	"crypto/x509"
	"testing"
	"time"
)

// grantServerOf is a grant server of an agent without namespaces.
func grantServerOf(t *testing.T, env map[string]string) *grantServer {
	t.Helper()
	units, o := newMachinery(t)
	o.Getenv = func(name string) string { return env[name] }
	return newGrantServer(newMachine(o, units), nil)
}

func TestCertificateOfTheGrantServerIsGoodForEveryHost(t *testing.T) {
	t.Parallel()
	g := grantServerOf(t, nil)
	if err := g.open(t.Context(), "gate.example.com", "other.example.com"); err != nil {
		t.Fatal(err)
	}
	defer g.listener.Close()
	certificate, err := x509.ParseCertificate(g.identity.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"gate.example.com", "other.example.com", "localhost"} {
		if err := certificate.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
}

func TestGrantsAreServedAlwaysIfToldSo(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "false": false, "true": true, "1": true, "perhaps": false} {
		g := grantServerOf(t, map[string]string{"SKUPPER_ENABLE_GRANTS": value})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.run(ctx)
		}()
		if want {
			for deadline := time.Now().Add(10 * time.Second); g.at().port == 0; {
				if time.Now().After(deadline) {
					t.Fatal("it does not listen")
				}
				<-time.After(time.Millisecond)
			}
		}
		cancel()
		<-done
		if got := g.always(); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
