#!/bin/sh
# Installs the servers that the tests start privately, from the system's packages: MariaDB, PostgreSQL, PgBouncer.
# Only the programs are needed. Without PgBouncer the tests that want it are skipped by name.
set -eu
PATH="$PATH:/usr/sbin"
has() { command -v "$1" >/dev/null 2>&1; }

NEEDED=""
has mariadbd || NEEDED="mariadb-server"
has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || NEEDED="$NEEDED postgresql"
WISHED=""
has pgbouncer || WISHED="pgbouncer"
[ -n "$NEEDED$WISHED" ] || exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
  [ -n "$NEEDED" ] || exit 0
  echo "The tests need the programs of MariaDB and PostgreSQL: install mariadb-server and postgresql" >&2
  exit 1
fi
install() { DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "$@"; }
apt-get update --quiet=2 || [ -z "$NEEDED" ]
# shellcheck disable=SC2086 - the packages are words
[ -z "$NEEDED" ] || install $NEEDED
[ -z "$WISHED" ] || install $WISHED || echo "PgBouncer cannot be installed: its tests will be skipped" >&2
