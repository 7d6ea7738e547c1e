package resource

// kindDocs says what each kind is for.
func kindDocs() map[Kind]string {
	return map[Kind]string{
		KindSite:             "A place on the network where applications run. Each namespace has exactly one.",
		KindListener:         "Accepts client connections for a routing key, at an address of this host.",
		KindConnector:        "Connects a routing key to a server that this host can reach.",
		KindMultiKeyListener: "Accepts client connections for one of several routing keys, chosen by priority or by weight.",
		KindRouterAccess:     "Lets other sites link to this one, at ports of this host.",
		KindLink:             "Links this site to another one.",
		KindAccessGrant:      "Permits other sites to get a link to this one by redeeming a token.",
		KindAccessToken:      "A token of a grant of another site, to be redeemed once for a link to it.",
		KindCertificate:      "Asks for a certificate that the site issues and renews.",
		KindSecuredAccess:    "Exposes ports of a Kubernetes workload. It has no effect on this platform.",
		KindSecret:           "Credentials: a key pair and the authority to trust, or those of an HTTP proxy.",
		KindConfigMap:        "Texts by key. It has no effect on this platform.",
	}
}

func siteFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the site."},
		{
			Path: "spec.linkAccess", Default: LinkAccessNone,
			Doc: "Whether other sites may link to this one: none, or default for a RouterAccess named like the site on the first free ports from 55671 and 45671. Other values mean default here.",
		},
		{Path: "spec.edge", Default: "false", Doc: "Make this an edge site: it links to interior sites and accepts no links itself."},
		{Path: "spec.ha", Default: "false", KubernetesOnly: true, Doc: "Run two routers."},
		{
			Path: "spec.defaultIssuer", Default: "skupper-site-ca", rule: credentialRule,
			Doc: "The certificate authority for link access and grants.",
		},
		{Path: "spec.serviceAccount", KubernetesOnly: true, Doc: "The service account of the router."},
		{Path: "spec.settings", Doc: "Options of the site."},
		{
			Path: "spec.settings." + SettingLogging, Default: "ROUTER_CORE:error+",
			Doc: "What the router logs: LEVEL or MODULE:LEVEL, separated by commas, as in info,TCP_ADAPTOR:debug. Levels: trace, debug, info, notice, warning, error, critical.",
		},
		{Path: "spec.settings." + settingLoggingAlias, Doc: "Another name of router-logging."},
		{
			Path: "spec.settings." + SettingDataConnections, Default: "auto",
			Doc: "How many connections a link uses for data, besides the one for control.",
		},
		{Path: "spec.settings." + settingDataConnectionsAlias, Doc: "Another name of router-data-connection-count."},
		{
			Path: "spec.settings." + SettingPriorRevisions, Default: "1",
			Doc: "How many earlier revisions of a renewed certificate stay valid.",
		},
		{
			Path: "spec.settings." + SettingCertValidity, Default: "9528h (397 days)",
			Doc: "How long certificates that stay on this host are valid. They are renewed when a third of it is left.",
		},
		{
			Path: "spec.settings." + SettingLinkCertValidity, Default: "43800h (5 years)",
			Doc: "How long client certificates handed out in links and tokens are valid.",
		},
		{
			Path: "spec.settings." + SettingLinkCertRenewal, Default: "true", Allowed: []string{"true", "false"},
			Doc: "Whether client certificates handed out through tokens can be renewed by their holders, at the grant server.",
		},
		{Path: "spec.settings." + SettingCAValidity, Default: "87600h (10 years)", Doc: "How long certificate authorities are valid."},
		{
			Path: "spec.settings." + SettingKeyType, Default: "ecdsa-p256", Allowed: []string{"ecdsa-p256", "rsa2048"},
			Doc: "How new keys are made.",
		},
		{
			Path: "spec.settings." + SettingGrantURL,
			Doc:  "HOST:PORT under which other sites reach the grant server of this host.",
		},
		{
			Path: "spec.settings." + SettingDrain, Default: "30",
			Doc: "How many seconds the connections of a deleted or changed listener or connector may go on, and those over a link that is sent elsewhere.",
		},
		{Path: "status", Doc: "How the site is."},
		{Path: "status.endpoints", Doc: "Where other sites can link to."},
		{Path: "status.endpoints.name", Doc: "The router access and role."},
		{Path: "status.endpoints.host", Doc: "A host name or address."},
		{Path: "status.endpoints.port", Doc: "A port number."},
		{Path: "status.endpoints.group", Doc: "The router, where a site has several."},
		{Path: "status.sitesInNetwork", Doc: "How many sites the network has, this one included."},
		{Path: "status.network", Doc: "The sites of the network."},
		{Path: "status.network.id", Doc: "The id of the site."},
		{Path: "status.network.name", Doc: "The name of the site."},
		{Path: "status.network.namespace", Doc: "The namespace of the site."},
		{Path: "status.network.platform", Doc: "What the site runs on."},
		{Path: "status.network.version", Doc: "The version of the site's software."},
		{Path: "status.network.links", Doc: "The links of the site."},
		{Path: "status.network.links.name", Doc: "The name of the link."},
		{Path: "status.network.links.remoteSiteId", Doc: "The id of the site that it leads to."},
		{Path: "status.network.links.remoteSiteName", Doc: "The name of the site that it leads to."},
		{Path: "status.network.links.operational", Doc: "Whether it is up."},
		{Path: "status.network.services", Doc: "The routing keys that the site uses."},
		{Path: "status.network.services.routingKey", Doc: "The routing key."},
		{Path: "status.network.services.connectors", Doc: "The connectors for it."},
		{Path: "status.network.services.listeners", Doc: "The listeners for it."},
		{Path: "status.defaultIssuer", Doc: "The certificate authority in use."},
		{Path: "status.controller", Doc: "The controller that looks after the site."},
		{Path: "status.controller.name", Doc: "Its name."},
		{Path: "status.controller.namespace", Doc: "Its namespace."},
		{Path: "status.controller.version", Doc: "Its version."},
	}
}

func routerAccessFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the router access."},
		{Path: "spec.roles", Required: true, Doc: "The ports, one for each kind of link."},
		{Path: "spec.roles.name", Required: true, Doc: "inter-router for links of interior sites, edge for those of edge sites."},
		{Path: "spec.roles.port", Default: "55671 for inter-router, 45671 for edge", min: minPort, max: maxPort, Doc: "The TCP port to listen on."},
		{
			Path: "spec.tlsCredentials", Default: "the name of the RouterAccess", rule: credentialRule,
			Doc: "The server credential: a directory under input/certs or a Secret of that name, otherwise the site makes it.",
		},
		{Path: "spec.generateTlsCredentials", KubernetesOnly: true, Doc: "Whether to make the server credential. Here it is made whenever none is supplied."},
		{
			Path: "spec.issuer", Default: "the site's default issuer", rule: credentialRule,
			Doc: "The certificate authority of the server credential and of the links made for it.",
		},
		{Path: "spec.bindHost", Default: "all addresses", rule: hostRule, Doc: "The address to listen on."},
		{
			Path: "spec.subjectAlternativeNames", Default: "bindHost, or the names and addresses of the host", rule: hostListRule,
			Doc: "The hosts in the server certificate. Links are made for them.",
		},
		{Path: "spec.accessType", KubernetesOnly: true, Doc: "How the ports are exposed."},
		{Path: "spec.settings", Doc: "Options of the router access."},
		{Path: "status", Doc: "How the router access is."},
		{Path: "status.endpoints", Doc: "Where other sites can link to."},
		{Path: "status.endpoints.name", Doc: "The role."},
		{Path: "status.endpoints.host", Doc: "A host name or address."},
		{Path: "status.endpoints.port", Doc: "A port number."},
		{Path: "status.endpoints.group", Doc: "The router, where a site has several."},
	}
}

func linkFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the link."},
		{Path: "spec.endpoints", Required: true, Doc: "Where the other site is. The one whose name is the role of this site's router is used."},
		{Path: "spec.endpoints.name", Required: true, Doc: "The role: inter-router or edge."},
		{Path: "spec.endpoints.host", Required: true, rule: hostRule, Doc: "A host name or address of the other site. Its certificate must name it."},
		{Path: "spec.endpoints.port", Required: true, rule: portRule, Doc: "The port number, as a string."},
		{Path: "spec.endpoints.group", Doc: "The router of the other site, where it has several."},
		{
			Path: "spec.tlsCredentials", Required: true, rule: credentialRule,
			Doc: "The client credential: a directory under input/certs or a Secret of that name.",
		},
		{Path: "spec.cost", Default: "1", Doc: "What it costs to use the link; cheaper paths are preferred."},
		{Path: "spec.settings", Doc: "Options of the link."},
		{
			Path: "spec.settings." + SettingProxy,
			Doc:  "The HTTP proxy to connect through: a directory under input/proxies or a Secret with the keys host, port, username, password.",
		},
		{Path: "status", Doc: "How the link is."},
		{Path: "status.remoteSiteId", Doc: "The id of the site that it leads to."},
		{Path: "status.remoteSiteName", Doc: "The name of the site that it leads to."},
	}
}

func accessGrantFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What is wanted of the grant."},
		{Path: "spec.redemptionsAllowed", Default: "1", Doc: "How many links may be got."},
		{Path: "spec.expirationWindow", Default: "10m", rule: durationRule, Doc: "How long the grant is good, from when it is first seen."},
		{Path: "spec.code", Default: "24 random characters", Doc: "The secret that a token carries."},
		{Path: "spec.issuer", Default: "the site's default issuer", rule: credentialRule, Doc: "The certificate authority of the links."},
		{Path: "spec.settings", Doc: "Options of the grant."},
		{Path: "status", Doc: "How the grant is."},
		{Path: "status.url", Doc: "Where a token is redeemed."},
		{Path: "status.code", Doc: "The secret that a token carries."},
		{Path: "status.ca", Doc: "The certificate authority of the grant server, as PEM."},
		{Path: "status.redemptions", Doc: "How many links were got."},
		{Path: "status.expirationTime", Doc: "When the grant ends."},
	}
}

func accessTokenFields() []Field {
	return []Field{
		{Path: "spec", Doc: "What the grant gave out."},
		{Path: "spec.url", Required: true, rule: httpsRule, Doc: "Where the token is redeemed."},
		{Path: "spec.code", Required: true, Doc: "The secret of the grant."},
		{Path: "spec.ca", Required: true, Doc: "The certificate authority to trust for the redemption, as PEM."},
		{Path: "spec.linkCost", Default: "1", Doc: "The cost of the link."},
		{Path: "spec.settings", Doc: "Options of the token."},
		{Path: "spec.settings." + SettingProxy, Doc: "The HTTP proxy to redeem it through, as for a Link."},
		{Path: "status", Doc: "How the token is."},
		{Path: "status.redeemed", Doc: "Whether it was exchanged for a link."},
	}
}
