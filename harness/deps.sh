#!/bin/sh
# Makes sure that the Debian packages which the build, the tests (deps.sh build) or lint (deps.sh lint) need are there:
# installs the missing ones where it may, and otherwise names them and fails. The Makefile calls it before anything else.
set -eu

case "${1-}" in
build)
	packages="gcc binutils libc6-dev make grub-pc-bin grub-common xorriso mtools
		bochs bochs-term bochsbios vgabios qemu-system-x86 libcmocka-dev
		python3 python3-pytest python3-capstone python3-cbor2 python3-pyelftools python3-rich python3-hypothesis
		python3-jinja2"
	commands="gcc ld ar strip grub-mkrescue grub-mkimage xorriso bochs-bin qemu-system-x86_64 python3"
	;;
lint)
	packages="clang-format clang-tidy black flake8 mypy shellcheck"
	commands="clang-format clang-tidy black flake8 mypy shellcheck"
	;;
*)
	echo "usage: deps.sh build|lint" >&2
	exit 2
	;;
esac

# Another distribution: all that can be done is to name what is not there.
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	missing=""
	for command in $commands; do
		command -v "$command" >/dev/null || missing="$missing $command"
	done
	[ -z "$missing" ] && exit 0
	echo "deps: these programs are missing:$missing (on Debian 12 this script would install them)" >&2
	exit 1
fi

# One call for all: each call of dpkg-query reads the whole database. It fails when a package is unknown, which is no
# failure here.
# shellcheck disable=SC2016,SC2086
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2>/dev/null || true)
missing=""
for package in $packages; do
	case "
$installed
" in
	*"
installed $package
"*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -z "$missing" ] && exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
	as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	as_root="sudo -n"
else
	echo "deps: packages are missing; install them with" >&2
	echo "    sudo $install" >&2
	exit 1
fi

echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# The package lists may be missing or too old: try with those that are there, and once more with fresh ones.
# shellcheck disable=SC2086
if ! $as_root $install >/dev/null 2>&1; then
	$as_root apt-get update -q >/dev/null
	$as_root $install >/dev/null || {
		echo "deps: apt-get failed; install by hand with: $install" >&2
		exit 1
	}
fi
