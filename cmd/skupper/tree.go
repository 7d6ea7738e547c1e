package main

import (
	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/manual"
	"github.com/skupper-host/skupper/system/resource"
)

// tree is the whole command line: every command, its flags, its words.
func (p *program) tree() *command.Command {
	return &command.Command{
		Name:    "skupper",
		Summary: "connect services of hosts that cannot reach each other",
		Text: "Each host runs a site. Sites are linked by one outgoing TLS connection; a listener of one site then leads to a connector " +
			"of another, whichever of the two made the link. No VPN, no root and no container engine is needed.\n\n" +
			"A site is described by resources: YAML files as other Skupper tools write them, or the commands below. " +
			"An agent (started when it is first needed) turns them into a running router and keeps it that way.",
		Flags:   p.globalFlags(),
		Retired: retired(),
		Examples: []command.Example{
			{Line: "skupper site create west --enable-link-access --start", Text: "Start a site that others can link to"},
			{Line: "skupper link generate --host west.example.com --output-file link.yaml", Text: "Make a link for another site, to be applied there with `skupper system apply link.yaml`"},
			{Line: "skupper connector create db 5432 --host 10.0.0.5", Text: "Offer a server that this host reaches"},
			{Line: "skupper listener create db 5432", Text: "Use it from another site"},
			{Line: "skupper system status", Text: "See how everything is"},
		},
		Commands: []*command.Command{
			p.siteCommands(),
			p.linkCommands(),
			p.tokenCommands(),
			p.listenerCommands(),
			p.connectorCommands(),
			p.systemCommands(),
			p.namespaceCommands(),
			p.networkCommands(),
			p.serviceCommands(),
			p.certCommands(),
			p.pingCommand(),
			p.topCommand(),
			p.eventsCommand(),
			p.debugCommands(),
			p.explainCommand(),
			p.versionCommand(),
			p.manifestCommand(),
			p.completionCommand(),
			p.helpCommand(),
			p.docsCommand(),
			p.initCommand(),
			p.oldStatusCommand(),
			p.completeCommand(),
			p.controllerCommands(),
			p.grantServerCommands(),
			p.routerCommands(),
			p.observerCommands(),
		},
	}
}

func (p *program) globalFlags() []command.Flag {
	return []command.Flag{
		{Name: "namespace", Short: "n", Kind: command.String, Value: "NAME", Source: command.Namespaces, Usage: "the site's namespace (SKUPPER_NAMESPACE, else \"default\")"},
		{Name: "platform", Short: "p", Kind: command.String, Value: "PLATFORM", Source: command.Platforms, Usage: "how the router of a new namespace runs: linux, podman or docker (SKUPPER_PLATFORM)"},
		{Name: "system", Kind: command.Bool, Usage: "the sites of the system, as root has by default"},
		{Name: "user", Kind: command.Bool, Usage: "the sites of this user, as others have by default"},
		{Name: "color", Kind: command.String, Choices: []string{"auto", "always", "never"}, Default: "auto", Usage: "color the status words"},
		{Name: "quiet", Short: "q", Kind: command.Bool, Usage: "print nothing but results and errors"},
		{Name: "verbose", Short: "v", Kind: command.Bool, Usage: "print more detail"},
		{Name: "help", Short: "h", Kind: command.Bool, Usage: "print help"},
		{Name: "version", Kind: command.Bool, Usage: "print the version"},
		{Name: "context", Short: "c", Kind: command.String, Hidden: true, Usage: "ignored"},
		{Name: "kubeconfig", Kind: command.String, Hidden: true, Usage: "ignored"},
	}
}

// foreignFlags explains flags of Skupper's command line for clusters.
func foreignFlags() map[string]string {
	return map[string]string{
		"selector":          "on hosts use --host",
		"workload":          "on hosts use --host and the port",
		"include-not-ready": "on hosts use --host",
	}
}

// manual is what the help and the manual pages share.
func (p *program) manual() manual.Page {
	return manual.Page{
		Root: p.tree(), Version: "2", Date: "2026-11-25", Exits: exits(),
		Env: [][2]string{
			{"SKUPPER_NAMESPACE", "the namespace where --namespace is not given"},
			{"SKUPPER_PLATFORM", "the platform of new namespaces: linux, podman or docker"},
			{"SKUPPER_LOG", "level of the agent's and the router's log: debug, info, warn, error"},
			{"SKUPPER_GRANT_SERVER_PORT, SKUPPER_GRANT_SERVER_BASE_URL", "where the agent serves tokens (9090, or the next free port), and the host:port in front of it"},
			{"SKUPPER_ENABLE_GRANTS", "if true, it listens there without a token to serve as well"},
			{"SKUPPER_ALLOW_REDEEM_BY_KEY", "if true, /NAMESPACE/NAME of a grant is as good as the path in its token; the code is needed all the same"},
			{"SKUPPER_SYSTEM_RELOAD_TYPE", "auto, or manual: changes of files take effect with system reload only; of an agent that system install did not say it to"},
			{"SKUPPER_AGENT_STOP_REMOVES", "of the agent: if true, system stop removes the site, as it does in other implementations"},
			{"SKUPPER_ROUTER_IMAGE", "the image of routers in containers, instead of one that is made from the program"},
			{"CONTAINER_ENDPOINT, DOCKER_HOST", "where podman and Docker answer"},
			{"SKUPPER_BUNDLE", "what system generate-bundle makes: tarball, or bundle for a shell script"},
			{"SKUPPER_OUTPUT_PATH", "the data home, instead of the places below"},
			{"SKUPPER_AGENT_INSTANCE", "\"system\" or \"user\", as --system and --user"},
			{"XDG_DATA_HOME, XDG_CONFIG_HOME, XDG_RUNTIME_DIR", "where a user's files, units and sockets lie"},
			{"NO_COLOR", "if set, no colors unless --color=always"},
		},
		Files: [][2]string{
			{"/etc/skupper/skupper.yaml, ~/.config/skupper/config.yaml", "what flags need not say: platform, namespace, output, color; flags and the environment win"},
			{"~/.local/share/skupper/namespaces/NAME/input/", "what is wanted of a site: resources, certs, issuers, proxies (root: /var/lib/skupper/namespaces)"},
			{"~/.local/share/skupper/namespaces/NAME/runtime/", "what was made of it: the router's configuration, certificates, link files, resources with status"},
			{"$XDG_RUNTIME_DIR/skupper/agent.sock", "the agent's interface (root: /run/skupper)"},
			{"~/.config/systemd/user/skupper-NAME.service", "the site's service where systemd runs (root: /etc/systemd/system)"},
		},
		Formats: []manual.Format{resourcesFormat()},
	}
}

// resourcesFormat describes every kind of resource with its fields.
func resourcesFormat() manual.Format {
	f := manual.Format{
		Name: "skupper-resources", Summary: "the resources that describe a site",
		Text: "A site is described by resources in YAML or JSON, one or several to a file, separated by lines of three hyphens. " +
			"They lie in input/resources of the namespace, where `skupper system apply` and the commands put them, or anybody else. " +
			"`skupper explain` shows the same on the terminal.",
	}
	for _, k := range resource.Kinds() {
		part := manual.Part{Title: string(k), Text: "apiVersion: " + k.APIVersion() + "\n\n" + resource.Describe(k)}
		for _, field := range resource.Fields(k) {
			part.Rows = append(part.Rows, [2]string{field.Path + " (" + field.Type + ")", describeField(field)})
		}
		f.Parts = append(f.Parts, part)
	}
	return f
}
