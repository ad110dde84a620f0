#!/usr/bin/env bash
# Prints the path of a Chromium; installs Debian's where there is none and that can be done.
# usage: chromium.sh; exit 3, with the reason on standard error, where there is none to be had
set -euo pipefail

find_it() {
  for name in chromium chromium-browser google-chrome chrome; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}

if find_it; then exit 0; fi
if ! command -v apt-get > /dev/null; then
  echo "there is no Chromium, and no apt-get to install one" >&2
  exit 3
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "there is no Chromium: apt-get install chromium, as root" >&2
  exit 3
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
  chromium fonts-dejavu-core; } > "$log" 2>&1; then
  echo "Chromium cannot be installed: $(grep '^E:' "$log" | head -n 1)" >&2
  exit 3
fi
find_it
