# SPDX-License-Identifier: MIT
# Shared by packages and fetch: apt with source list, indices and cache of
# its own under out/apt.  The machine's mirror, proxy and credentials stay in
# force; its lists and its cache are not touched.
# Sourced after lib.sh, never run.
# shellcheck shell=bash disable=SC2034

APT_DIR=$OUT/apt
APT_LOG=$OUT/logs/apt.log
APT_ETC=${APT_ETC:-/etc/apt}
OS_RELEASE=${OS_RELEASE:-/etc/os-release}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
MIRROR=${MIRROR:-}

# The codename of this Debian, or nothing on anything else.
debian_codename() (
	ID='' VERSION_CODENAME=''
	# shellcheck source=/dev/null
	[ ! -r "$OS_RELEASE" ] || . "$OS_RELEASE"
	[ "$ID" != debian ] || echo "$VERSION_CODENAME"
)

# Every "URI SUITE KEYRING" of the machine's entries with component main,
# from one-line and deb822 files.
apt_entries() {
	local f
	for f in "$APT_ETC/sources.list" "$APT_ETC"/sources.list.d/*.list; do
		[ ! -r "$f" ] || sed -n 's/^[[:space:]]*deb[[:space:]]/ /p' "$f"
	done | awk '{
		key = "-"
		if (match($0, /\[[^]]*\]/)) {
			opts = substr($0, RSTART + 1, RLENGTH - 2)
			sub(/\[[^]]*\]/, "")
			if (match(opts, /signed-by=[^ ]+/))
				key = substr(opts, RSTART + 10, RLENGTH - 10)
		}
		for (i = 3; i <= NF; i++)
			if ($i == "main") print $1, $2, key
	}'
	for f in "$APT_ETC"/sources.list.d/*.sources; do
		[ ! -r "$f" ] || {
			sed '/^#/d' "$f"
			echo
		}
	done | awk -v RS= -F '\n' '{
		split("", v)
		for (i = 1; i <= NF; i++) {
			if ($i !~ /^[ \t]/) { k = tolower($i); sub(/:.*/, "", k); sub(/^[^:]*:/, "", $i) }
			v[k] = v[k] " " $i
		}
		if (v["types"] !~ /deb( |$)/ || v["enabled"] ~ /no/) next
		if (v["components"] !~ /(^| )main( |$)/) next
		key = v["signed-by"]; gsub(/ /, "", key)
		if (key !~ /^\//) key = "-"
		nu = split(v["uris"], u, " "); ns = split(v["suites"], s, " ")
		for (a = 1; a <= nu; a++) for (b = 1; b <= ns; b++) print u[a], s[b], key
	}'
}

# Sets MIRROR_URI and MIRROR_KEY: where this machine gets Debian from.
# Of several archives that call a suite like ours, Debian's has a path /debian.
apt_mirror() {
	local codename=$1 entry
	entry="$MIRROR - -"
	if [ -z "$MIRROR" ]; then
		entry=$(apt_entries | awk -v c="$codename" '
			$1 !~ /^cdrom:/ {
				rank = ($2 == c ? 2 : 0) + ($1 ~ /\/debian(\.list)?\/?$/ ? 1 : 0)
				if (rank > best) { best = rank; line = $0 }
			}
			END { print line }')
		[ -n "$entry" ] ||
			die "no mirror of Debian in $APT_ETC: name one with MIRROR=http://…/debian"
	fi
	MIRROR_URI=${entry%% *}
	MIRROR_KEY=$(apt_keys "${entry##* }")
}

# apt_keys KEYRING|-: the machine's choice next to Debian's own keyring, which
# knows the keys of later releases too.
apt_keys() {
	local keys=''
	[ ! -r "$KEYRING" ] || keys=$KEYRING
	[ "$1" = - ] || [ "$1" = "$KEYRING" ] || [ ! -r "$1" ] || keys=${keys:+$keys,}$1
	[ -n "$keys" ] || die "no keyring to check Debian's signatures: install debian-archive-keyring"
	echo "$keys"
}

# apt_setup NAME <"URI SUITE KEYS" lines: makes a private configuration, for
# packages of APT_ARCH if that is set.
apt_setup() {
	local dir=$APT_DIR/$1 arch=${APT_ARCH:-}
	[ -n "$arch" ] || arch=$(dpkg --print-architecture)
	mkdir -p "$dir/lists/partial" "$dir/archives/partial" "${APT_LOG%/*}"
	awk -v arch="$arch" '{
		printf "deb [arch=%s target=Packages signed-by=%s] %s %s main\n", arch, $3, $1, $2
	}' >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-END
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State::lists "$dir/lists";
		Dir::Cache "$dir";
		Dir::Cache::archives "$dir/archives";
		Dir::Cache::pkgcache "$dir/pkgcache.bin";
		Dir::Cache::srcpkgcache "$dir/srcpkgcache.bin";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		APT::Update::Error-Mode "any";
		APT::Get::Assume-Yes "true";
		APT::Install-Recommends "false";
		APT::Color "false";
		Acquire::Languages "none";
		Acquire::Retries "2";
		Acquire::http::Timeout "30";
		Acquire::https::Timeout "30";
		DPkg::Lock::Timeout "120";
		Dpkg::Use-Pty "false";
	END
}

# apt_run NAME COMMAND args…: output goes to the log, and the last run's
# also to out/apt/NAME/last.
apt_run() {
	local dir=$APT_DIR/$1 rc=0
	shift
	DEBIAN_FRONTEND=noninteractive LC_ALL=C "$1" -c "$dir/apt.conf" "${@:2}" \
		>"$dir/last" 2>&1 </dev/null || rc=$?
	{
		echo "== $*"
		cat "$dir/last"
	} >>"$APT_LOG"
	return $rc
}

# Why the last run failed, in one line.
apt_why() {
	local last=$APT_DIR/$1/last
	{ grep -m1 -E '^(Err:|dpkg: error processing)' -A1 "$last" || grep -m1 '^E:' "$last" ||
		tail -n1 "$last"; } | tr -s '\n ' '  '
}

# True if the last run failed because nobody answered.
apt_unreachable() {
	grep -qE 'Could not (connect|resolve|handshake)|Cannot initiate|Unable to connect|Temporary failure|[Tt]imed out|Connection (refused|failed|reset)' \
		"$APT_DIR/$1/last"
}

apt_bad_signature() {
	grep -qE 'GPG error|NO_PUBKEY|EXPKEYSIG|BADSIG|is not signed|not live until|Clearsigned' \
		"$APT_DIR/$1/last"
}

# apt_update NAME WHAT: 1 if the mirror does not have it; dies if the mirror
# cannot be asked, or is not to be trusted.
apt_update() {
	! apt_run "$1" apt-get update || return 0
	! apt_bad_signature "$1" ||
		die "$2: the signature of $MIRROR_URI does not check: $(apt_why "$1"); log: $APT_LOG"
	! apt_unreachable "$1" ||
		die "$2: the mirror $MIRROR_URI cannot be reached: check network and proxy, or set MIRROR=; log: $APT_LOG"
	return 1
}

# apt_of_release NAME: a configuration for packages of this machine's own Debian that are to
# be unpacked.  Exit status 4 where there is no Debian.
apt_of_release() {
	local codename
	codename=$(debian_codename)
	if [ -z "$codename" ]; then
		echo "offmap: error: $1: this is not Debian" >&2
		exit 4
	fi
	apt_mirror "$codename"
	note "$1: unpacking that of Debian $codename; log: $APT_LOG"
	apt_setup "$1" <<<"$MIRROR_URI $codename $MIRROR_KEY"
	apt_update "$1" "$1" ||
		die "$1: $MIRROR_URI does not have $codename: $(apt_why "$1"); log: $APT_LOG"
}

# apt_unpack NAME PACKAGES SUITE [BACKPORTS]: into out/NAME, once; apt prefers BACKPORTS, if
# there are any.  Without the root's maintainer scripts, and so without privileges.
apt_unpack() {
	local root=$OUT/$1 log=$OUT/logs/$1.log suite release=${4:-$3} sources=()
	apt_mirror "$3"
	note "$1: unpacking that of Debian's $release; log: $log"
	rm -rf "$root.tmp"
	for suite in "${@:3}"; do
		sources+=("deb [signed-by=$MIRROR_KEY] $MIRROR_URI $suite main")
	done
	mmdebstrap --mode=chrootless --variant=extract --format=directory \
		--aptopt="APT::Default-Release \"$release\"" --include="$2" \
		"$3" "$root.tmp" "${sources[@]}" >"$log" 2>&1 ||
		die "$1: $MIRROR_URI does not give $release's: $(grep -m 1 '^E: ' "$log" || tail -n 1 "$log"); log: $log"
	rm -rf "$root"
	mv "$root.tmp" "$root"
}
