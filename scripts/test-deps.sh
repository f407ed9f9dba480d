#!/usr/bin/env bash
# Installs the Debian packages that tests need (requirements/debian.txt), or says which ones are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t wanted < <(sed -E 's/#.*//; s/[[:space:]]+$//' requirements/debian.txt | grep -v '^$' || true)
missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "test-deps: nothing to install"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "test-deps: this is not Debian; install these yourself, or their tests are skipped: ${missing[*]}" >&2
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "test-deps: not root and no password-less sudo; run: sudo apt-get install -y ${missing[*]}" >&2
    exit 0
  fi
  as_root=(sudo -n)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
