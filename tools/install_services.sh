#!/usr/bin/env bash
# The servers that tests start, each its own: PostgreSQL. Installs what is missing where it may; says what it could not do.
set -uo pipefail

has_postgresql() {
  command -v initdb >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

if has_postgresql; then
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "install_services: no PostgreSQL server here, and none can be installed (no root, or no apt-get):" \
    "the tests that need one are skipped, and say so" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y --no-install-recommends postgresql >/dev/null 2>&1; }
if install || { apt-get update >/dev/null 2>&1 && install; }; then
  exit 0
fi
echo "install_services: apt-get could not install postgresql: the tests that need it are skipped, and say so" >&2
