package resource

func certificateFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the certificate."},
		{Path: "spec.ca", Default: "self-signed", rule: credentialRule, Doc: "The certificate authority that signs it."},
		{Path: "spec.subject", Doc: "The common name."},
		{Path: "spec.hosts", rule: hostListRule, Doc: "The host names and addresses that it is good for."},
		{Path: "spec.signing", Default: "false", Doc: "Make a certificate authority."},
		{Path: "spec.server", Default: "false", Doc: "Make a certificate for a server."},
		{Path: "spec.client", Default: "false", Doc: "Make a certificate for a client."},
		{Path: "spec.settings", Doc: "Options of the certificate."},
		{Path: "status", Doc: "How the certificate is."},
		{Path: "status.expiration", Doc: "When it expires."},
	}
}

// securedAccessFields require nothing: the kind has no effect here.
func securedAccessFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is exposed, and how."},
		{Path: "spec.accessType", Doc: "How the ports are exposed."},
		{Path: "spec.selector", Doc: "The labels of the pods."},
		{Path: "spec.ports", Doc: "The ports."},
		{Path: "spec.ports.name", Doc: "The name of the port."},
		{Path: "spec.ports.port", Doc: "The port exposed."},
		{Path: "spec.ports.targetPort", Doc: "The port of the pod."},
		{Path: "spec.ports.protocol", Doc: "The protocol."},
		{Path: "spec.certificate", Doc: "The server certificate."},
		{Path: "spec.issuer", Doc: "The certificate authority."},
		{Path: "spec.settings", Doc: "Options of the access."},
		{Path: "status", Doc: "How the access is."},
		{Path: "status.endpoints", Doc: "Where the ports are exposed."},
		{Path: "status.endpoints.name", Doc: "The name of the port."},
		{Path: "status.endpoints.host", Doc: "A host name or address."},
		{Path: "status.endpoints.port", Doc: "A port number."},
		{Path: "status.endpoints.group", Doc: "The router, where a site has several."},
		{Path: "status.ca", Doc: "The certificate authority to trust, as PEM."},
	}
}

func secretFields() []Field {
	return []Field{
		{Path: "type", Doc: "kubernetes.io/tls for a key pair. Any type is accepted."},
		{
			Path: "data",
			Doc:  "The contents by key, in base64: ca.crt, tls.crt and tls.key as PEM. stringData has the same, as plain text.",
		},
	}
}

func configMapFields() []Field {
	return []Field{
		{Path: "data", Doc: "The texts by key."},
	}
}

// metadataFields describe the metadata of a kind.
func metadataFields(kind Kind) []Field {
	name := nameRule
	switch kind {
	case KindSecret, KindConfigMap, KindCertificate:
		name = credentialRule // credentials are named like this, and these name them
	default:
	}
	uid := "The id given by Kubernetes; not used here."
	if kind == KindSite {
		uid = "The id of the site, when it should be a certain one."
	}
	return []Field{
		{Path: "metadata", Doc: "What names the object."},
		{Path: "metadata.name", Required: true, rule: name, Doc: "The name, unique within kind and namespace."},
		{Path: "metadata.namespace", Default: "the namespace that the file belongs to", rule: namespaceRule, Doc: "The namespace: the site that the object belongs to."},
		{Path: "metadata.uid", Doc: uid},
		{Path: "metadata.labels", Doc: "Your own words for the object, by key."},
		{Path: "metadata.annotations", Doc: "Your own notes on the object, by key."},
	}
}

// healthFields describe the part of the status that all kinds share.
func healthFields() []Field {
	return []Field{
		{Path: "status.status", Doc: "Ready, or why not: Pending or Error.", Allowed: []string{StatusPending, StatusError, StatusReady}},
		{Path: "status.message", Doc: "OK when Ready, otherwise what is missing."},
		{Path: "status.conditions", Doc: "What is known, one thing at a time."},
		{Path: "status.conditions.type", Doc: "What is said."},
		{Path: "status.conditions.status", Doc: "Whether it is so.", Allowed: []string{ConditionTrue, ConditionFalse, ConditionUnknown}},
		{Path: "status.conditions.reason", Doc: "Ready, Pending or Error."},
		{Path: "status.conditions.message", Doc: "OK, or why it is not so."},
		{Path: "status.conditions.lastTransitionTime", Doc: "Since when."},
		{Path: "status.conditions.observedGeneration", Doc: "Not used here."},
	}
}
