#!/usr/bin/env bash
# What tests start, each its own: a PostgreSQL server, a Chromium. Installs what is missing where it may; says what it could not do.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive

has_postgresql() {
  command -v initdb >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

has_chromium() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && return 0
  done
  return 1
}

install() {
  apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
    { apt-get update >/dev/null 2>&1 && apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1; }
}

provide() { # what it is called, how to see that it is here, the packages
  local what=$1 has=$2
  shift 2
  "$has" && return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install_services: no $what here, and none can be installed (no root, or no apt-get):" \
      "the tests that need one are skipped, and say so" >&2
  elif ! install "$@"; then
    echo "install_services: apt-get could not install $*: the tests that need it are skipped, and say so" >&2
  fi
}

provide "PostgreSQL server" has_postgresql postgresql
provide "Chromium" has_chromium chromium fonts-noto-cjk
