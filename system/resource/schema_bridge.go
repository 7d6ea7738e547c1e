package resource

func observerValues() []string { return []string{"auto", "none", "http1", "http2"} }

func listenerFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the listener."},
		{Path: "spec.routingKey", Required: true, rule: routingKeyRule, Doc: "The key that connectors of the network match."},
		{Path: "spec.host", Required: true, rule: hostRule, Doc: "The address to listen on; 0.0.0.0 for all."},
		{Path: "spec.port", Required: true, min: minPort, max: maxPort, Doc: "The TCP port to listen on."},
		{
			Path: "spec.tlsCredentials", Default: "no TLS", rule: credentialRule,
			Doc: "The credential for TLS towards clients: a directory under input/certs or a Secret of that name, otherwise the site makes it.",
		},
		{Path: "spec.type", Default: "tcp", Allowed: []string{"tcp"}, rule: typeRule, Doc: "The protocol."},
		{Path: "spec.observer", Default: "auto", Allowed: observerValues(), Doc: "Which requests network observers are told of: those of HTTP/1 and HTTP/2 (auto), of one of them, or none."},
		{Path: "spec.exposePodsByName", KubernetesOnly: true, Doc: "Whether each pod has an address of its own."},
		{Path: "spec.settings", Doc: "Options of the listener."},
		{Path: "spec.settings." + SettingObserver, Allowed: observerValues(), Doc: "Another place for spec.observer."},
		{Path: "status", Doc: "How the listener is."},
		{Path: "status.hasMatchingConnector", Doc: "Whether the network has a connector for the routing key."},
	}
}

func connectorFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the connector."},
		{Path: "spec.routingKey", Required: true, rule: routingKeyRule, Doc: "The key that listeners of the network match."},
		{Path: "spec.host", Required: true, rule: hostRule, Doc: "The host name or address of the server."},
		{Path: "spec.port", Required: true, min: minPort, max: maxPort, Doc: "The TCP port of the server."},
		{Path: "spec.selector", KubernetesOnly: true, Doc: "Selects pods as servers; on this platform use host."},
		{
			Path: "spec.tlsCredentials", Default: "no TLS", rule: credentialRule,
			Doc: "The credential for TLS towards the server: a directory under input/certs or a Secret of that name. ca.crt is needed to check the server, tls.crt and tls.key with useClientCert only.",
		},
		{Path: "spec.useClientCert", Default: "false", Doc: "Whether to present the certificate of tlsCredentials to the server."},
		{Path: "spec.verifyHostname", Default: "false", Doc: "Whether the server's certificate must name host."},
		{Path: "spec.type", Default: "tcp", Allowed: []string{"tcp"}, rule: typeRule, Doc: "The protocol."},
		{Path: "spec.exposePodsByName", KubernetesOnly: true, Doc: "Whether each pod has an address of its own."},
		{Path: "spec.includeNotReadyPods", KubernetesOnly: true, Doc: "Whether pods that are not ready are servers."},
		{Path: "spec.settings", Doc: "Options of the connector."},
		{Path: "status", Doc: "How the connector is."},
		{Path: "status.hasMatchingListener", Doc: "Whether the network has a listener for the routing key."},
		{Path: "status.selectedPods", Doc: "The pods selected, on Kubernetes."},
		{Path: "status.selectedPods.name", Doc: "The name of the pod."},
		{Path: "status.selectedPods.uid", Doc: "The id of the pod."},
		{Path: "status.selectedPods.ip", Doc: "The address of the pod."},
	}
}

func multiKeyListenerFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the multi-key listener."},
		{Path: "spec.host", Required: true, rule: hostRule, Doc: "The address to listen on; 0.0.0.0 for all."},
		{Path: "spec.port", Required: true, min: minPort, max: maxPort, Doc: "The TCP port to listen on."},
		{Path: "spec.strategy", Doc: "How a routing key is chosen: exactly one of priority and weighted. It cannot change to the other."},
		{Path: "spec.strategy.priority", Doc: "Take the first routing key that can be reached."},
		{Path: "spec.strategy.priority.routingKeys", rule: routingKeyRule, Doc: "The routing keys, the best first; 1 to 256 different ones."},
		{Path: "spec.strategy.weighted", Doc: "Share connections among the routing keys that can be reached."},
		{Path: "spec.strategy.weighted.routingKeys", Doc: "The routing keys, each with its weight, at least 1; 1 to 256 keys."},
		{
			Path: "spec.tlsCredentials", Default: "no TLS", rule: credentialRule,
			Doc: "The credential for TLS towards clients: a directory under input/certs or a Secret of that name, otherwise the site makes it.",
		},
		{Path: "spec.requireClientCert", Default: "false", Doc: "Whether clients must present a certificate of the authority in tlsCredentials."},
		{Path: "spec.observer", Default: "auto", Allowed: observerValues(), Doc: "Which requests network observers are told of: those of HTTP/1 and HTTP/2 (auto), of one of them, or none."},
		{Path: "spec.settings", Doc: "Options of the multi-key listener."},
		{Path: "spec.settings." + SettingObserver, Allowed: observerValues(), Doc: "Another place for spec.observer."},
		{Path: "status", Doc: "How the multi-key listener is."},
		{Path: "status.hasDestination", Doc: "Whether one of the routing keys can be reached."},
		{Path: "status.strategy", Doc: "What the strategy has to choose from."},
		{Path: "status.strategy.priority", Doc: "With the priority strategy."},
		{Path: "status.strategy.priority.routingKeysReachable", Doc: "The routing keys that can be reached, the best first."},
		{Path: "status.strategy.weighted", Doc: "With the weighted strategy."},
		{Path: "status.strategy.weighted.routingKeysReachable", Doc: "The routing keys that can be reached, with their weights."},
	}
}
