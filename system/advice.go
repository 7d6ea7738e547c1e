package system

import (
	"errors"
	"fmt"
	"strings"
)

// A status has one line: why something is not Ready, and after a semicolon what
// a person can do about it. This file has the second half.

// advised is a reason with what to do about it.
func advised(why, advice string) string {
	if advice == "" || strings.Contains(why, advice) {
		return why
	}
	return why + "; " + advice
}

// adviceOf is what an error says that a person can do.
func adviceOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// remedy is what to do where a reason has some words.
type remedy struct{ words, advice string }

// among is the advice of the first remedy whose words are in a reason.
func among(why, otherwise string, list ...remedy) string {
	for _, r := range list {
		if strings.Contains(why, r.words) {
			return r.advice
		}
	}
	return otherwise
}

// linkAdvice is what to do about a link that is not connected. The words are
// those of routers (package conn).
func linkAdvice(host, reason string) string {
	const again = "take a new link or token from that site"
	const firewall = "is the port open in every firewall between the sites?"
	return among(reason, "`skupper system logs` on both sites tells more",
		remedy{"no such host", "correct the host of the link, or have the name resolved on this host"},
		remedy{"cannot be resolved", "does the name server of this host answer?"},
		remedy{"connection refused", "nothing listens there: does that site run, and is this its port?"},
		remedy{"does not answer", "is it a router that listens there, and does it run? A proxy or firewall in between may answer for it"},
		remedy{"connecting to", firewall},
		remedy{"timed out", firewall},
		remedy{"no route to the host", "is there a way to that network? `ip route get " + host + "`"},
		remedy{"network unreachable", "is there a way to that network? `ip route get " + host + "`"},
		remedy{"not for " + host, "have that site cover the host: `skupper link generate --host " + host + "` there"},
		remedy{"unknown authority", "the link is of another site, or that site was made anew: " + again},
		remedy{"the authority of our certificate", "that site was made anew, or the link is of another one: " + again},
		remedy{"our certificate", again},
		remedy{"client certificate", again},
		remedy{"authenticate", again},
		remedy{"expired on", "that site has to renew its certificate: `skupper cert renew` there"},
		remedy{"is not valid before", "are the clocks of both hosts right?"},
		remedy{"version of TLS", "that site has to allow TLS 1.2 or later"},
		remedy{"does not speak TLS", "is this the port of a Skupper router?"},
		remedy{"does not speak AMQP", "is this the port of a Skupper router of version 2?"},
		remedy{"in use", "another connection of this link stands: it is replaced when that ends"},
	)
}

// serverAdvice is what to do about a server that a connector does not reach. The
// words are those of routers (package tcp).
func serverAdvice(name, reason string) string {
	return among(reason, "`skupper connector update "+name+"` changes where it connects to",
		remedy{"no such host", "correct the host: `skupper connector update " + name + " --host HOST`"},
		remedy{"cannot be resolved", "does the name server of this host answer?"},
		remedy{"connection refused", "does the server run, and listen there?"},
		remedy{"timed out", "does the server answer, and is no firewall in between?"},
		remedy{"no answer yet", "does the server answer, and is no firewall in between?"},
		remedy{"unreachable", "is there a way to that network?"},
		remedy{"no route", "is there a way to that network?"},
		remedy{"not for ", "correct the host, or `skupper connector update " + name + " --verify-hostname=false`"},
		remedy{"unknown authority", "ca.crt of the connector's TLS credentials has to hold the authority of the server"},
		remedy{"expired on", "the server needs a new certificate"},
		remedy{"is not valid before", "are the clocks of both hosts right?"},
		remedy{"does not speak TLS", "does the server speak TLS on this port? If not, the connector must have no TLS credentials"},
		remedy{"client certificate", "give the connector's TLS credentials tls.crt and tls.key, and set useClientCert"},
		remedy{"our certificate", "the server has to trust the authority of the connector's certificate"},
	)
}

// listenAdvice is what to do about a port that the router cannot listen on.
// listener is its name, "" for one that no command changes.
func listenAdvice(reason, listener string) string {
	port, host := "change spec.port", "change spec.host"
	if listener != "" {
		update := "`skupper listener update " + listener
		port, host = update+" --port PORT`", update+" --host HOST`"
	}
	return among(reason, port,
		remedy{" of podman", "end that container (`podman ps` lists it), or choose another port: " + port},
		remedy{" of docker", "end that container (`docker ps` lists it), or choose another port: " + port},
		remedy{"(docker.service)", "`docker ps` names the container of that port: end it, or choose another: " + port},
		remedy{"by docker-proxy", "`docker ps` names the container of that port: end it, or choose another: " + port},
		remedy{portTaken, "end that program, or choose another port: " + port},
		remedy{"is not an address of this host", "choose an address of this host, or 0.0.0.0: " + host},
		remedy{"no such host", "choose an address of this host, or 0.0.0.0: " + host},
		remedy{"reserved for", "choose a port above 1023: " + port},
	)
}

// downAdvice is what to do about a router that does not answer.
func downAdvice(namespace, why string) string {
	logs := fmt.Sprintf("`skupper -n %s system logs` tells more", namespace)
	return among(why, logs,
		remedy{"not started", fmt.Sprintf("`skupper -n %s system start` starts it", namespace)},
		remedy{"router stopped", fmt.Sprintf("`skupper -n %s system start` starts it", namespace)},
		remedy{"starting", "this takes a moment; " + logs},
		remedy{"stopping", "this takes a moment"},
	)
}
