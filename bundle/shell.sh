#!/bin/sh
# Installs a Skupper site; "sh FILE -h" tells how. This block checks the rest of
# the file before anything of it is used.
set -eu
sum={{quote .Sum}}
crc={{quote .CRC}}
archive={{.Archive}}

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
[ -f "$self" ] || fail 'this script is a file that has to be there' 'save it, then run: sh FILE' 2
bundle=$self
for tool in dd chmod mkdir rm id uname; do
  has "$tool" || fail "$tool is not on this host" 'POSIX has it; see that it is in PATH' 1
done

part() { dd if="$self" bs={{.Block}} "$@" 2>/dev/null; }
extract() { dd if="$self" bs={{.Block}} skip={{.At}} count={{.Count}} of="$1"; }

if has sha256sum; then
  found=$(part skip=1 | sha256sum)
elif has shasum; then
  found=$(part skip=1 | shasum -a 256)
elif has openssl; then
  found=$(part skip=1 | openssl dgst -sha256 -r)
else
  sum=$crc
  found=$(part skip=1 | cksum)
fi
[ "${found%% *}" = "$sum" ] || fail "$0: the bundle is damaged: its checksum is ${found%% *}, $sum is expected" \
  'copy it again and compare its SHA-256 with that of the file that was generated' 2
[ "$archive" -gt 0 ] || exit 1
# What follows has been checked.
