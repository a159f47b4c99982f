# SPDX-License-Identifier: MIT
# Shared by fetch and tree: where the source of Linux comes from, which is
# the tarball of Debian's package or what LINUX= names.
# Sourced after lib.sh, never run.
# shellcheck shell=bash disable=SC2034

KERNEL_DIR=${KERNEL_DIR:-$TOP/kernel}
read_conf "$KERNEL_DIR/base"
LINUX=${LINUX:-}
DOWNLOADS=$OUT/downloads
TARBALL=$DOWNLOADS/${LINUX_PACKAGE:?}.tar.xz

# deb, tarball, git or directory
source_kind() {
	if [ -z "$LINUX" ]; then
		echo deb
	elif [ -f "$LINUX" ]; then
		case $LINUX in
		*.tar | *.tar.* | *.tgz) echo tarball ;;
		*) die "LINUX=$LINUX is neither a tarball (.tar.*), a directory nor a git tree" ;;
		esac
	elif [ -e "$LINUX/.git" ] || { [ -f "$LINUX/HEAD" ] && [ -d "$LINUX/objects" ]; }; then
		echo git
	elif [ -d "$LINUX" ]; then
		echo directory
	else
		die "LINUX=$LINUX does not exist"
	fi
}

# A word that changes when another source, or another state of it, is named.
source_id() {
	local kind state
	kind=$(source_kind)
	case $kind in
	deb) state=$LINUX_DEB_VERSION:$LINUX_SHA256 ;;
	tarball) state=$(stat -L -c %s:%Y "$LINUX") ;;
	git) state=$(git -C "$LINUX" rev-parse 'HEAD^{tree}') ||
		die "LINUX=$LINUX is a git repository without a commit" ;;
	directory) state=$(cd "$LINUX" && find . -type f -printf '%P %s %T@\n' |
		sort | sha256sum | cut -d' ' -f1) ;;
	esac
	echo "$kind:$state"
}

# The top Makefile of a source, whatever its kind.
source_makefile() {
	case $1 in
	directory) cat "$LINUX/Makefile" ;;
	git) git -C "$LINUX" show HEAD:Makefile ;;
	tarball) tar -xOf "$LINUX" --occurrence=1 --wildcards \
		--no-wildcards-match-slash '*/Makefile' ;;
	esac
}

# makefile_version <Makefile: 7.3.4, or nothing
makefile_version() {
	awk '$2 == "=" && $1 ~ /^(VERSION|PATCHLEVEL|SUBLEVEL)$/ { v[$1] = $3 }
		END { if ("VERSION" in v)
			print v["VERSION"] "." v["PATCHLEVEL"] "." v["SUBLEVEL"] }'
}

# check_version VERSION WHERE
check_version() {
	case $1 in
	"$LINUX_VERSION") ;;
	"$LINUX_SERIES".*)
		warn "$2 is Linux $1; the series was made for $LINUX_VERSION and may not apply"
		;;
	'') die "$2 has no Makefile of Linux" ;;
	*) die "$2 is Linux $1; the series needs $LINUX_SERIES.y" ;;
	esac
}

# need_space GIGABYTES WHAT-FOR
need_space() {
	local free
	free=$(df -Pk "$OUT" | awk 'NR == 2 { print $4 }')
	[ -n "$free" ] || die "df does not say how much space $OUT has"
	[ "$free" -ge $(($1 * 1024 * 1024)) ] ||
		die "$2 needs $1 GB free in $OUT, but there are $((free / 1024)) MB: make room or set OUT="
}

# unpack KIND DIRECTORY: the files of the source.  What apt brought and is
# damaged goes, so that the next run fetches it anew.
unpack() {
	local kind=$1 to=$2 file=${LINUX:-$TARBALL} why
	mkdir -p "$to"
	case $kind in
	directory)
		! [ -e "$LINUX/.config" ] || die "LINUX=$LINUX has been built in: run 'make mrproper' there first"
		why=$(cp -a "$LINUX/." "$to" 2>&1) || die "cannot copy $LINUX: ${why##*$'\n'}"
		;;
	git)
		[ -z "$(git -C "$LINUX" status --porcelain -uno 2>/dev/null)" ] ||
			warn "LINUX=$LINUX has changes that are not committed; taking HEAD without them"
		why=$({ git -C "$LINUX" archive HEAD | tar -x -C "$to"; } 2>&1) ||
			die "cannot take HEAD of $LINUX: ${why##*$'\n'}"
		;;
	*)
		why=$(tar -xf "$file" --strip-components=1 --no-same-owner -C "$to" 2>&1) && return
		[ "$kind" = tarball ] || xz -t "$file" 2>/dev/null || rm -f "$file"
		die "cannot unpack $file: $(grep -m1 'No space left' <<<"$why" || head -n1 <<<"$why")"
		;;
	esac
}

# Debian's package ignores all at the top: git would not see new files.
drop_debian_ignore() {
	[ ! -f "$1/.gitignore" ] ||
		perl -0pi -e 's/#\n# Debian packaging: ignore everything.*//s' "$1/.gitignore"
}
