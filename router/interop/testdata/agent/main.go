// agent URL DIR asks a router, and changes it, with the calls of upstream's
// management agent. It prints a line for each. DIR has ca.crt, tls.crt and
// tls.key. It is built inside upstream's sources, whose packages it needs.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/skupperproject/skupper/internal/qdr"
)

func step(name string, f func() error) {
	if err := f(); err != nil {
		fmt.Printf("%s: %v\n", name, err)
		return
	}
	fmt.Printf("%s: ok\n", name)
}

func main() {
	url, dir := os.Args[1], os.Args[2]
	a, err := qdr.Connect(url, nil)
	step("Connect", func() error { return err })
	if err != nil {
		os.Exit(1)
	}
	pool := qdr.NewAgentPool(url, nil)
	step("GetLocalRouter", func() error {
		r, err := a.GetLocalRouter()
		if err == nil && (r.Id == "" || r.Edge || r.Site.Id == "" || r.Version == "") {
			err = fmt.Errorf("%+v", *r)
		}
		return err
	})
	step("GetInteriorNodes", func() error {
		n, err := a.GetInteriorNodes()
		if err == nil && len(n) != 2 {
			err = fmt.Errorf("%+v", n)
		}
		return err
	})
	step("GetConnections", func() error {
		c, err := a.GetConnections()
		if err == nil && len(c) < 3 {
			err = fmt.Errorf("%+v", c)
		}
		return err
	})
	var routers []qdr.Router
	step("GetAllRouters", func() (err error) {
		routers, err = a.GetAllRouters()
		if err == nil && len(routers) != 4 {
			err = fmt.Errorf("%+v", routers)
		}
		for _, r := range routers {
			if r.Site.Id == "" || len(r.ConnectedTo) == 0 && r.Id != "o1" { // which dials nobody
				err = errors.Join(err, fmt.Errorf("%+v", r))
			}
		}
		return err
	})
	step("GetBridges", func() error {
		b, err := a.GetBridges(routers)
		if err == nil && len(b) != len(routers) {
			err = fmt.Errorf("%+v", b)
		}
		return err
	})
	step("GetLocalTcpConnections", func() error { _, err := a.GetLocalTcpConnections(); return err })
	step("GetLocalConnectorStatus", func() error {
		s, err := a.GetLocalConnectorStatus()
		if err == nil && (len(s) != 1 || s["to-0"].Status != "SUCCESS") {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})

	profile := qdr.SslProfile{Name: "made", CaCertFile: dir + "/ca.crt", CertFile: dir + "/tls.crt", PrivateKeyFile: dir + "/tls.key"}
	step("SslProfile", func() error {
		if err := a.CreateSslProfile(profile); err != nil {
			return err
		}
		profile.Ordinal = 7
		if err := errors.Join(a.UpdateSslProfile(profile), a.ReloadSslProfile("made")); err != nil {
			return err
		}
		got, err := a.GetSslProfileByName("made")
		if err == nil && *got != profile {
			err = fmt.Errorf("%+v", *got)
		}
		return err
	})

	before, err := a.GetLocalBridgeConfig()
	step("GetLocalBridgeConfig", func() error { return err })
	desired := qdr.NewBridgeConfigCopy(*before)
	no := false
	desired.TcpConnectors["c"] = qdr.TcpEndpoint{Name: "c", Host: "127.0.0.1", Port: "9", Address: "c", SiteId: "s", ProcessID: "p", SslProfile: "made", VerifyHostname: &no}
	desired.TcpListeners["l"] = qdr.TcpEndpoint{Name: "l", Host: "127.0.0.1", Port: "0", Address: "c", SiteId: "s", Observer: "none", SslProfile: "made", AuthenticatePeer: true}
	desired.TcpListeners["m"] = qdr.TcpEndpoint{Name: "m", Host: "127.0.0.1", Port: "0", SiteId: "s", MultiAddressStrategy: "priority"}
	desired.ListenerAddresses["m/1"] = qdr.ListenerAddress{Name: "m/1", Address: "c", Listener: "m", Value: 2}
	same := func(want qdr.BridgeConfig) error {
		got, err := a.GetLocalBridgeConfig()
		if err != nil {
			return err
		}
		if d := got.Difference(&want); !d.Empty() {
			return fmt.Errorf("differs: %+v", *d)
		}
		return nil
	}
	step("SyncBridgeConfig", func() error { return errors.Join(qdr.SyncBridgeConfig(pool, &desired), same(desired)) })
	step("SyncBridgeConfig of a change", func() error {
		l := desired.TcpListeners["m"]
		l.MultiAddressStrategy = "weighted"
		desired.TcpListeners["m"] = l
		return errors.Join(qdr.SyncBridgeConfig(pool, &desired), same(desired))
	})
	step("SyncBridgeConfig back", func() error { return errors.Join(qdr.SyncBridgeConfig(pool, before), same(*before)) })

	step("SyncRouterConfig", func() error {
		connectors, err := a.GetLocalConnectors()
		if err != nil {
			return err
		}
		listeners, err := a.GetLocalListeners()
		if err != nil {
			return err
		}
		c := qdr.InitialConfig("o0", "s", "v", false, 3)
		c.Connectors, c.Listeners = connectors, listeners
		c.SslProfiles["made"] = profile
		c.Connectors["more"] = qdr.Connector{Name: "more", Role: qdr.RoleInterRouter, Host: "localhost", Port: "9", Cost: 3, SslProfile: "made", VerifyHostname: true}
		c.Listeners["more"] = qdr.Listener{Name: "more", Role: qdr.RoleEdge, Host: "127.0.0.1", Port: 0, SslProfile: "made", SaslMechanisms: "EXTERNAL", AuthenticatePeer: true}
		for range 2 { // the second time nothing differs
			if err := qdr.SyncRouterConfig(pool, &c, true); err != nil {
				return err
			}
		}
		if connectors, err = a.GetLocalConnectors(); err != nil {
			return err
		}
		if d := qdr.ConnectorsDifference(connectors, &c, nil); !d.Empty() {
			return fmt.Errorf("connectors differ: %+v", *d)
		}
		if listeners, err = a.GetLocalListeners(); err != nil {
			return err
		}
		if d := qdr.ListenersDifference(listeners, c.Listeners); !d.Empty() {
			return fmt.Errorf("listeners differ: %+v", *d)
		}
		delete(c.Connectors, "more")
		delete(c.Listeners, "more")
		return qdr.SyncRouterConfig(pool, &c, true)
	})
	step("Delete of the profile", func() error { return a.Delete("io.skupper.router.sslProfile", "made") })
}
