# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034 # used by who sources this
# Shared by build and the fetch scripts: where things are, apt without root's
# own configuration, and one way to fail.

samples=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${IOMMUPT_CACHE:-$samples/cache}
out=${IOMMUPT_OUT:-$samples/out}
mirror=${IOMMUPT_MIRROR:-http://deb.debian.org}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

note()
{
	echo "${0##*/}: $*" >&2
}

# Whatever changes the cache runs under this lock; two builds can run at once.
lock_cache()
{
	mkdir -p "$cache"
	exec 9>"$cache/.lock"
	flock 9
}

sources_of()
{
	local suite=$1
	local component=main

	echo "deb [signed-by=$keyring] $mirror/debian $suite $component"
	case $suite in
	bullseye|bookworm|trixie)
		echo "deb [signed-by=$keyring] $mirror/debian $suite-updates $component"
		echo "deb [signed-by=$keyring] $mirror/debian-security $suite-security $component"
		;;
	trixie-backports)
		echo "deb [signed-by=$keyring] $mirror/debian trixie $component"
		;;
	esac
}

# An apt world of its own for one suite: nothing installed, its lists in the
# cache. Sets apt_options for apt_get and apt_cache below.
use_suite()
{
	local dir=$cache/apt/$1

	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	sources_of "$1" >"$dir/sources.list"
	apt_options=(
		-o "Dir::State=$dir"
		-o "Dir::State::lists=$dir/lists"
		-o "Dir::State::status=$dir/status"
		-o "Dir::Cache=$dir"
		-o "Dir::Etc::sourcelist=$dir/sources.list"
		-o "Dir::Etc::sourceparts=/dev/null"
		-o "Dir::Etc::preferences=/dev/null"
		-o "Dir::Etc::preferencesparts=/dev/null"
		-o "APT::Architecture=amd64"
		-o "APT::Architectures=amd64"
		-o "APT::Sandbox::User="
		-o "Acquire::Languages=none"
	)
	# Lists older than a day may name packages that the archive dropped.
	if [ -z "$(find "$dir/updated" -mtime -1 2>/dev/null)" ]; then
		note "reading the package lists of $1"
		apt_get -qq update >&2 || die "apt cannot read the lists of $1"
		touch "$dir/updated"
	fi
}

apt_get()
{
	apt-get "${apt_options[@]}" "$@"
}

apt_cache()
{
	apt-cache "${apt_options[@]}" "$@"
}
