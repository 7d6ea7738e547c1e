#!/bin/bash
# A throw-away host with systemd as process 1: this machine's own userland,
# booted by systemd-nspawn on an overlay of /, so that nothing done inside
# reaches the disk. It is up in about a second.
#
#   box.sh up NAME          boot; prints the state that the system reaches
#   box.sh sh NAME CMD...   run a command inside, as root
#   box.sh as NAME USER CMD...  run it in a login session of a user
#   box.sh reboot NAME      orderly; the disk stays
#   box.sh crash NAME       cut the power, and boot
#   box.sh down NAME        power off and remove
#
# The root file system inside is BOX_DIR/NAME/root (default /run/skupper-box):
# files are copied in and out there. Needs root, systemd-nspawn and dbus.
#
#   BOX_LOWER  another root file system to boot (default /)
#   BOX_NETNS  the network namespace that it lives in, of `ip netns`; else one of
#              its own, with nothing but lo
#   BOX_KEEP   units of this machine's packages that are not masked inside
#   BOX_SIZE   of what may be written (default 1g)
set -euo pipefail
verb=${1:?verb} name=${2:?name}
shift 2
box=${BOX_DIR:-/run/skupper-box}/$name
root=$box/root
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Control groups of the box, where the hierarchies are those of version 1 or
# mixed; elsewhere nspawn makes its own.
groups() {
  local h
  for h in systemd unified; do
    [ ! -d /sys/fs/cgroup/$h ] || echo "/sys/fs/cgroup/$h/skupper-box-$name"
  done
}

leader() { cat "$box/leader"; }

# A process from outside must be in the box's own group, or logind refuses it.
join() {
  local g=/sys/fs/cgroup/unified/skupper-box-$name/payload/init.scope
  [ ! -d "$g" ] || echo $$ >"$g/cgroup.procs"
}

# Commands that run inside are stopped by a shutdown, and nsenter stops itself
# with them; it must go on, to take note of their end, before the host can end.
wake() {
  local p
  while read -r p; do
    [ "$(cat "/proc/$p/comm" 2>/dev/null)" != nsenter ] || kill -CONT "$p" 2>/dev/null || true
  done < <(cat "/sys/fs/cgroup/unified/skupper-box-$name/payload/init.scope/cgroup.procs" 2>/dev/null)
}

# Waits for a systemd that is not the process $1, and notes it.
await() {
  local p end=$((SECONDS + 120)) # a busy machine takes its time
  while [ $SECONDS -lt $end ]; do
    wake
    p=$(cat /proc/"$(cat "$box/nspawn.pid" 2>/dev/null)"/task/*/children 2>/dev/null | tr ' ' '\n' | head -1) || true
    if [ -n "$p" ] && [ "$p" != "${1:-}" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = systemd ] && [ -S "/proc/$p/root/run/systemd/private" ]; then
      echo "$p" >"$box/leader"
      nsenter -t "$p" -a systemctl is-system-running --wait || true
      return
    fi
    sleep 0.05
  done
  echo "box $name did not boot:" >&2
  cat "$box/console.log" >&2
  return 1
}

# Runs nspawn until it ends otherwise than by a reboot (133) or a power cut.
loop() {
  local g device options=(--private-network)
  [ -z "${BOX_NETNS:-}" ] || options=("--network-namespace-path=/run/netns/$BOX_NETNS")
  for device in /dev/fuse /dev/net/tun; do # for containers of users
    [ ! -e $device ] || options+=("--bind=$device")
  done
  for g in $(groups); do echo $BASHPID >"$g/cgroup.procs"; done
  export UNIFIED_CGROUP_HIERARCHY=1 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0
  set +e
  trap '' HUP
  while :; do
    rm -f "$box/again"
    systemd-nspawn -q -D "$root" --boot --register=no --keep-unit --machine="$name" --hostname="$name" "${options[@]}" \
      --console=pipe --link-journal=no --resolv-conf=off --timezone=off --capability=all --system-call-filter='@keyring bpf' \
      </dev/null >>"$box/console.log" 2>&1 &
    echo $! >"$box/nspawn.pid"
    wait $!
    [ $? = 133 ] || [ -e "$box/again" ] || return
  done
}

up() {
  local g unit
  mkdir -p "$box"
  mount -t tmpfs -o "size=${BOX_SIZE:-1g},mode=755" "box-$name" "$box"
  mkdir -p "$box"/upper "$box"/work "$root"
  mount -t overlay overlay -o "lowerdir=${BOX_LOWER:-/},upperdir=$box/upper,workdir=$box/work" "$root"
  : >"$root/etc/machine-id"
  echo "$name" >"$root/etc/hostname"
  rm -rf "$root"/var/log/journal/* "$root"/var/lib/systemd/linger "$root"/var/lib/skupper "$root"/var/lib/containers
  mkdir -p "$root/var/log/journal" "$root/etc/containers"
  # Engines ask for higher limits than root may set without CAP_SYS_RESOURCE.
  printf '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\npids_limit = 0\n' >"$root/etc/containers/containers.conf"
  # The disk is an overlay, on which there can be no other, which podman 5 finds
  # out at its second start only. It notes in /run what another disk could do.
  printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' >"$root/etc/containers/storage.conf"
  # The crun of Debian 12 cannot do without it.
  ! grep -q '^VERSION_ID="12"' "$root/etc/os-release" || printf '[engine]\nruntime = "runc"\n' >>"$root/etc/containers/containers.conf"
  # What else is installed here is none of the test's business.
  for unit in docker.service docker.socket containerd.service podman-auto-update.timer podman-auto-update.service postgresql.service haproxy.service \
    redis-server.service nginx.service apache2.service mariadb.service ssh.service cron.service apt-daily.timer \
    apt-daily-upgrade.timer man-db.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-timesyncd.service \
    systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-resolved.service \
    systemd-udevd.service systemd-sysctl.service console-getty.service; do
    case " ${BOX_KEEP:-} " in
    *" $unit "*) ;;
    *) ln -sfn /dev/null "$root/etc/systemd/system/$unit" ;;
    esac
  done
  for g in $(groups); do mkdir -p "$g"; done
  (loop) >/dev/null 2>&1 &
  echo $! >"$box/super.pid"
  disown
  await
}

down() {
  local p s g
  if p=$(leader 2>/dev/null) && [ -d "/proc/$p" ]; then
    nsenter -t "$p" -a systemctl poweroff --no-block >/dev/null 2>&1 || true
    s=$(cat "$box/super.pid")
    for _ in $(seq 150); do
      [ -d "/proc/$s" ] || break
      wake
      sleep 0.1
    done
    [ ! -d "/proc/$s" ] || kill -KILL "$s" "$(cat "$box/nspawn.pid")" "$p" 2>/dev/null || true
  fi
  umount -R "$root" 2>/dev/null || umount -l "$root" 2>/dev/null || true
  umount -l "$box" 2>/dev/null || true
  rmdir "$box" 2>/dev/null || true
  for g in $(groups); do find "$g" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}

case $verb in
up) up ;;
sh)
  p=$(leader)
  join
  exec nsenter -t "$p" -a env -i "PATH=$path" HOME=/root LANG=C.UTF-8 "$@"
  ;;
as)
  user=$1
  shift
  p=$(leader)
  join
  exec nsenter -t "$p" -a env -i "PATH=$path" LANG=C.UTF-8 \
    systemd-run -q --wait --pipe --collect -p PAMName=login -p "User=$user" -p 'WorkingDirectory=~' -E "PATH=$path" -- "$@"
  ;;
reboot)
  p=$(leader)
  (join && nsenter -t "$p" -a systemctl reboot --no-block)
  await "$p"
  ;;
crash)
  p=$(leader)
  touch "$box/again"
  kill -KILL "$p"
  await "$p"
  ;;
down) down ;;
*)
  echo "unknown verb $verb" >&2
  exit 2
  ;;
esac
