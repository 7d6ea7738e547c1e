#!/bin/bash
# What an administrator does with the packages, on a host with systemd. The
# packages of versions 2.0.0 and 2.0.1 lie beside this script; the argument is
# what it is tried with.
set -euxo pipefail
PS4='+ $SECONDS s: '
cd "$(dirname "$0")"

fail() { echo "FAILED: $*" >&2; exit 1; }
pid() { systemctl show -p MainPID --value "$1"; }
# say WORD: over the connection that stays open
say() {
	echo "$1" >&3
	read -r -t 60 answer <&3
	[ "$answer" = "$1" ] || fail "the open connection answered: $answer"
}
# change VERSION COMMAND...: has the program replaced under an open connection
change() {
	local version=$1 router agent
	shift
	router=$(pid skupper-default) agent=$(pid skupper)
	"$@"
	[ "$(pid skupper-default)" = "$router" ] || fail "the router was restarted"
	[ "$(pid skupper)" != "$agent" ] || fail "the agent was not restarted"
	say "after $*"
	[ "$(skupper version)" = "$version" ] || fail "the program is $(skupper version)"
	skupper site status --check || fail "the site is not well"
}
# site: a running site, with an open connection through it
site() {
	systemctl enable --now skupper
	skupper system apply - <<'EOF'
apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: west}
spec: {linkAccess: default}
---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: echo}
spec: {host: 127.0.0.1, port: 15432, routingKey: echo}
---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: echo}
spec: {host: 127.0.0.1, port: 15433, routingKey: echo}
EOF
	exec 3<>/dev/tcp/127.0.0.1/15432
	say hello
}
# fresh: installed, and nothing else
fresh() {
	[ "$(skupper version)" = 2.0.0 ] || fail "version"
	[ -z "$(systemctl list-unit-files --no-legend --state=enabled 'skupper*')" ] || fail "enabled by the installation"
	[ "$(pid skupper)" = 0 ] || fail "started by the installation"
	[ "$(stat -c '%a %U %G' /var/lib/skupper)" = "710 root skupper" ] || fail "the data home: $(stat -c '%a %U %G' /var/lib/skupper)"
	systemd-analyze verify skupper.service skupper.target 2>&1 | grep -i skupper && fail "systemd says so of the units"
	for page in skupper.1 skupper-site.1 skupper-resources.5 skupper-controller.8 skupper-router.8; do
		[ -e "/usr/share/man/man${page##*.}/$page.gz" ] || fail "no page $page"
	done
	grep -q '"SPDX-2.3"' /usr/share/doc/skupper/sbom.spdx.json
	bash -c '. /usr/share/bash-completion/completions/skupper' || fail "completion"
}
# told WORDS...: what an upgrade said of the routers
told() { grep -q 'routers go on with the version they were started with' /run/said || fail "it said: $(cat /run/said)"; }
# old: status names the router that goes on
old() { skupper system status | grep -F 'the router runs version 2.0.0, 2.0.1 is installed' || fail "status does not name the old router"; }
# pod: a site in podman besides, and the file that a later podman makes a unit of
pod() {
	socket=$(systemctl is-enabled podman.socket || true)
	skupper system install --platform podman >/dev/null
	skupper --namespace pod --platform podman site create pod --start
	podman inspect --format '{{.State.Status}}' pod-skupper-router | grep -qx running || fail "no container"
	mkdir -p /etc/containers/systemd
	printf '[Container]\nImage=i\n[Install]\nWantedBy=multi-user.target skupper.service\n[X-Skupper]\nIdentity=i\n' >/etc/containers/systemd/skupper-later.container
	printf '[Container]\nImage=i\n[Install]\nWantedBy=multi-user.target\n' >/etc/containers/systemd/skupper-other.container
}
# watched: a network observer besides, for others
watched() {
	skupper system network-observer install --listen :8443 --password auto >/dev/null
	[ "$(systemctl is-enabled skupper-network-observer)" = enabled ] || fail "the network observer is not enabled"
}
# whale: a site in Docker besides, and a container as that of a user's site is
whale() {
	printf '{"iptables": false, "ip-forward": false, "bridge": "none"}' >/etc/docker/daemon.json
	systemctl reset-failed docker.service || true
	systemctl start docker.service
	skupper system install --platform docker >/dev/null
	skupper --namespace whale --platform docker site create whale --start
	[ "$(docker inspect --format '{{.State.Status}}' whale-skupper-router)" = running ] || fail "no container in Docker"
	user=$(docker create --name user --label application=skupper-v2 --label skupper-agent/unit='{}' --volume /home/a/.local/share/skupper/namespaces/a/runtime/run:/run/skupper-router localhost/skupper-router:2.0.0)
}
# whalegone: the system's container is gone, the user's is not
whalegone() {
	[ "$(docker ps --all --quiet --no-trunc)" = "$user" ] || fail "containers: $(docker ps --all)"
	docker rm user
}
# whaledone: what is Docker's goes
whaledone() {
	[ -z "$(docker ps --all --quiet)$(docker images --quiet)" ] || fail "left in Docker: $(docker ps --all; docker images)"
	systemctl stop docker.service docker.socket
	rm /etc/docker/daemon.json
}
# podgone: the container is gone, and no file would start it at boot
podgone() {
	[ -z "$(podman ps --all --quiet)" ] || fail "containers: $(podman ps --all)"
	grep -q Image=i /etc/containers/systemd/skupper-later.container || fail "removal took a file"
	! grep -q WantedBy= /etc/containers/systemd/skupper-later.container || fail "it would start at boot"
	grep -q WantedBy= /etc/containers/systemd/skupper-other.container || fail "removal changed a file of somebody else"
}
# podback: it runs again
podback() {
	skupper --namespace pod site status --check >/dev/null
	podman inspect --format '{{.State.Status}}' pod-skupper-router | grep -qx running || fail "no container after an installation"
}
# poddone: what is podman's and the test's goes
poddone() {
	[ -z "$(podman ps --all --quiet)$(podman images --quiet)" ] || fail "left in podman: $(podman ps --all; podman images)"
	! ls /etc/systemd/system/skupper-* /etc/containers/systemd/skupper-later.container || fail "left"
	rm /etc/containers/systemd/skupper-other.container
	rmdir /etc/containers/systemd 2>/dev/null || true
	[ "$socket" = enabled ] || systemctl disable --now podman.socket
}
# gone: nothing runs and nothing is enabled
gone() {
	[ -z "$(pgrep -x skupper || true)" ] || fail "still running: $(pgrep -ax skupper)"
	[ -z "$(systemctl list-unit-files --no-legend --state=enabled 'skupper*')" ] || fail "still enabled"
}
# back: what removal left works again with the program
back() {
	[ -d /var/lib/skupper/namespaces/default ] || fail "removal took data"
	"$@"
	systemctl enable --now skupper
	skupper system start # it waits
	skupper --namespace pod system start
	skupper --namespace whale system start
	skupper system status --check >/dev/null
	skupper system network-observer install >/dev/null # as it was
	[ "$(systemctl is-active skupper-network-observer)" = active ] || fail "no network observer after an installation"
	exec 3<>/dev/tcp/127.0.0.1/15432
	say "after $*"
	exec 3>&-
}

deb() {
	dpkg -i skupper_2.0.0-1_amd64.deb
	fresh
	site
	change 2.0.1 dpkg -i skupper_2.0.1-1_amd64.deb >/run/said
	told
	old
	change 2.0.0 dpkg -i skupper_2.0.0-1_amd64.deb
	exec 3>&-
	skupper system restart
	pod
	watched
	whale
	dpkg -r skupper
	gone
	podgone
	whalegone
	back dpkg -i skupper_2.0.1-1_amd64.deb
	podback
	dpkg -P skupper
	gone
	poddone
	whaledone
}

# bare: where no systemd runs, as in an image that is being built, nothing is said
bare() {
	unshare --mount sh -c 'mount -t tmpfs none /run/systemd && dpkg -i skupper_2.0.1-1_amd64.deb >/dev/null && dpkg -P skupper >/dev/null' 2>/run/said
	! grep -v '^Not building database; man-db/auto-update' /run/said || fail "without systemd: $(cat /run/said)"
}

rpm_() {
	rpm -i --nodeps skupper-2.0.0-1.x86_64.rpm
	fresh
	site
	change 2.0.1 rpm -U --nodeps skupper-2.0.1-1.x86_64.rpm >/run/said
	told
	old
	change 2.0.0 rpm -U --nodeps --oldpackage skupper-2.0.0-1.x86_64.rpm
	exec 3>&-
	pod
	watched
	whale
	rpm -e --nodeps skupper
	gone
	podgone
	whalegone
	back rpm -i --nodeps skupper-2.0.1-1.x86_64.rpm
	podback
	rm /etc/containers/systemd/skupper-later.container # no site has it
	skupper system uninstall --force --yes
	rpm -e --nodeps skupper
	gone
	poddone
	whaledone
	rm -rf /var/lib/skupper # what no RPM removes
}

archive() {
	mkdir /run/bare
	tar -xf skupper_2.0.1_linux_amd64.tar.gz -C /run/bare
	/run/bare/skupper-2.0.1/install.sh --prefix /run/bare/usr
	[ "$(/run/bare/usr/bin/skupper version)" = 2.0.1 ] || fail "version of the archive"
	/run/bare/skupper-2.0.1/install.sh --prefix /run/bare/usr --uninstall
	[ -z "$(find /run/bare/usr -type f)" ] || fail "left: $(find /run/bare/usr -type f)"
}

cat >/run/echo.py <<'EOF'
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", 15433), Echo).serve_forever()
EOF
case $1 in
deb | rpm) systemd-run --quiet --unit=echo python3 /run/echo.py ;;&
deb) deb ;;
rpm) rpm_ ;;
bare) bare ;;
archive) archive ;;
*) fail "unknown: $1" ;;
esac
