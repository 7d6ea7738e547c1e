package system

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/resource"
)

// proxyOf is the proxy through which a token is redeemed: the one that its
// setting names, in input/proxies or a Secret, or that of the environment.
func (n *namespace) proxyOf(t *resource.AccessToken) (func(*http.Request) (*url.URL, error), error) {
	name, _ := t.Spec.Settings.Get(resource.SettingProxy)
	return n.proxyNamed(name)
}

// proxyNamed is the proxy of that name; "" is that of the environment.
func (n *namespace) proxyNamed(name string) (func(*http.Request) (*url.URL, error), error) {
	if name == "" {
		return http.ProxyFromEnvironment, nil
	}
	values, err := n.proxyValues(name)
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", name, err)
	}
	if values["host"] == "" || values["port"] == "" {
		return nil, fmt.Errorf("proxy %s: host or port missing, in input/proxies/%[1]s and in a Secret", name)
	}
	u := &url.URL{Scheme: "http", Host: net.JoinHostPort(values["host"], values["port"])}
	if user := values["username"]; user != "" {
		u.User = url.UserPassword(user, first(values["password.txt"], values["password"]))
	}
	return http.ProxyURL(u), nil
}

// proxyValues are the values of a proxy, by the names of their files or keys.
func (n *namespace) proxyValues(name string) (map[string]string, error) {
	values := map[string]string{}
	for _, file := range []string{"host", "port", "username", "password.txt"} {
		data, err := os.ReadFile(filepath.Join(n.paths.InputProxy(name), file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil {
			values[file] = strings.TrimSpace(string(data))
		}
	}
	if len(values) > 0 {
		return values, nil
	}
	set, err := input.Resources(n.paths.InputResources())
	if err != nil {
		return nil, err
	}
	if s := resource.Get[*resource.Secret](set, name); s != nil {
		for key, value := range s.Data {
			values[key] = strings.TrimSpace(string(value))
		}
	}
	return values, nil
}
