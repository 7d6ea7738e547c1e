#!/bin/sh
# Installs from this archive; uses no network.
set -eu

usage() {
	cat <<'EOF'
usage: ./install.sh [--prefix DIR] [--user] [--uninstall] [--dry-run]

  --prefix DIR   install below DIR (/usr/local)
  --user         install below ~/.local, for this user only
  --uninstall    remove what was installed there; sites stay
  --dry-run      print what would be done
EOF
}

prefix=/usr/local
user='' remove='' dry=''
while [ $# -gt 0 ]; do
	case $1 in
	--prefix) [ $# -gt 1 ] || { usage >&2; exit 2; }; prefix=$2; shift ;;
	--prefix=*) prefix=${1#*=} ;;
	--user) user=yes prefix=${HOME:?HOME is not set}/.local ;;
	--uninstall) remove=yes ;;
	--dry-run) dry=yes ;;
	-h | --help) usage; exit 0 ;;
	*) echo "error: unknown option: $1" >&2; usage >&2; exit 2 ;;
	esac
	shift
done
cd "$(dirname "$0")"

do_it() {
	echo "$*"
	[ -n "$dry" ] || "$@"
}

# place FILE DESTINATION MODE
place() {
	if [ -n "$remove" ]; then
		[ ! -e "$prefix/$2" ] || do_it rm -f "$prefix/$2"
	else
		do_it mkdir -p "$prefix/$(dirname "$2")"
		do_it cp "$1" "$prefix/$2.new"
		do_it chmod "$3" "$prefix/$2.new"
		do_it mv "$prefix/$2.new" "$prefix/$2" # a running program goes on with the old file
	fi
}

place skupper bin/skupper 755
for page in man/man*/*; do
	place "$page" "share/$page" 644
done
place completion/skupper.bash share/bash-completion/completions/skupper 644
place completion/skupper.zsh share/zsh/site-functions/_skupper 644
place completion/skupper.fish share/fish/vendor_completions.d/skupper.fish 644
if [ -z "$remove$dry" ]; then
	case ":$PATH:" in
	*":$prefix/bin:"*) ;;
	*) echo "hint: $prefix/bin is not in PATH" ;;
	esac
	echo "next: skupper system install${user:+ --user}"
fi
