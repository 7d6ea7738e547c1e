#!/bin/sh
# Installs the Skupper site that lies beside this script; "sh install.sh -h"
# tells how.
set -eu

fail() { # message, hint, exit status
  printf 'error: %s\n' "$1" >&2
  [ -z "$2" ] || printf 'hint: %s\n' "$2" >&2
  exit "$3"
}
has() { command -v "$1" >/dev/null 2>&1; }

case $0 in
/*) self=$0 ;;
*) self=$PWD/$0 ;;
esac
bundle=${self%/*}
for tool in cp chmod mkdir rm id uname; do
  has "$tool" || fail "$tool is not on this host" 'POSIX has it; see that it is in PATH' 1
done

extract() { cp "$bundle/skupper" "$1"; }

check() { # file, SHA-256, CRC of POSIX
  [ -f "$bundle/$1" ] || fail "$bundle/$1: no such file" 'unpack the archive, then run its install.sh where it lies' 2
  expected=$2
  if has sha256sum; then
    found=$(sha256sum <"$bundle/$1")
  elif has shasum; then
    found=$(shasum -a 256 <"$bundle/$1")
  elif has openssl; then
    found=$(openssl dgst -sha256 -r <"$bundle/$1")
  else
    expected=$3
    found=$(cksum <"$bundle/$1")
  fi
  [ "${found%% *}" = "$expected" ] || fail "$bundle/$1: the bundle is damaged: its checksum is ${found%% *}, $expected is expected" \
    'copy the archive again and compare its SHA-256 with that of the file that was generated' 2
}
check bundle.json {{quote .Sum}} {{quote .CRC}}
{{- if .Arch}}
check skupper {{quote .ProgramSum}} {{quote .ProgramCRC}}
{{- end}}
