#!/bin/sh
# Unpacks a real MySQL server from Debian's unstable suite into FOLDER: nothing is installed, no root needed.
# About 46 MB to fetch, 253 MB unpacked, 11 s. The mirror is the one this machine's apt is configured with.
# usage: fetch_mysql.sh FOLDER   (does nothing where it is there already)
# exit 3: there is none for this machine, it has no apt or its mirror no MySQL; 4: the mirror did not give it.
# Any other failure is one to look into.
set -eu
FOLDER=${1:?usage: fetch_mysql.sh FOLDER}
[ -x "$FOLDER/usr/sbin/mysqld" ] && exit 0

leave() {
  echo "MySQL cannot be fetched: $2" >&2
  exit "$1"
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || leave 3 "this machine has no apt"
MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$MIRROR" ] || leave 3 "apt has no mirror configured"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir -p "$WORK/etc/apt.conf.d" "$WORK/etc/preferences.d" "$WORK/etc/trusted.gpg.d" \
  "$WORK/lists/partial" "$WORK/cache/archives/partial" "$WORK/debs" "$WORK/root"
cp -r /etc/apt/apt.conf.d "$WORK/etc/"
cp -r /etc/apt/trusted.gpg.d "$WORK/etc/" 2>/dev/null || true
cp /usr/share/keyrings/debian-archive-keyring.gpg "$WORK/etc/trusted.gpg.d/" 2>/dev/null || true
echo "deb $MIRROR sid main" > "$WORK/etc/sources.list"
APT="-o Dir::Etc=$WORK/etc -o Dir::State::Lists=$WORK/lists -o Dir::Cache=$WORK/cache -o APT::Sandbox::User=root
 -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any"
# shellcheck disable=SC2086 - the options are words
if ! apt-get $APT update -qq >"$WORK/update.log" 2>&1; then
  cat "$WORK/update.log" >&2
  grep -q "does not have a Release file" "$WORK/update.log" && leave 3 "apt's mirror is none of Debian's"
  leave 4 "apt's mirror does not answer"
fi
apt-cache $APT show mysql-server-core >/dev/null 2>&1 || leave 3 "apt's mirror has no package mysql-server-core"
# What the server needs, less perl, debconf and data that it does not load.
PACKAGES=$(apt-cache $APT depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances mysql-server-core | grep '^[a-z]' | sort -u \
  | grep -Ev '^(perl|libperl|libgdbm|libdb5|gcc-|libc-gconv|openssl-|libsasl2-modules|libtirpc-common)')
(cd "$WORK/debs" && apt-get $APT -qq download $PACKAGES) || leave 4 "apt's mirror lists packages that it does not give"
for deb in "$WORK"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$WORK/root" --exclude=./usr/share/doc --exclude=./usr/share/man \
    --exclude=./usr/share/locale --exclude='./usr/lib/*-linux-gnu*/gconv'
done
rm -rf "$FOLDER"
mkdir -p "$(dirname "$FOLDER")"
mv "$WORK/root" "$FOLDER"
