#!/usr/bin/env bash
# Runs the tests that need no heavy library on each Python from 3.10 that is found here, but that of .venv, in a
# new environment each, without torch: the light layers must be light and work there. What needs a heavy library
# is skipped. PYTHONS="/path/a /path/b" names the interpreters instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

light=(cattrs diskcache fsspec pyyaml rich tomli tomli-w tree-sitter tree-sitter-toml typer hypothesis pytest pytest-timeout)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The interpreters, one per minor version; `python3.x` of a version manager may be there and not start.
candidates=${PYTHONS:-$(for minor in 10 11 12 13 14; do
  command -v "python3.$minor" || true
  ls -d "$HOME"/.pyenv/versions/3."$minor".*/bin/python3 2>/dev/null || true
done)}

tried=" $(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true) "
failed=""
runs=0
for python in $candidates; do
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  case $tried in *" $version "*) continue ;; esac
  tried="$tried$version "
  echo "test-pythons: Python $version ($python)"
  "$python" -m venv "$scratch/$version"
  "$scratch/$version/bin/python" -m pip install --quiet -c constraints.txt "${light[@]}"
  "$scratch/$version/bin/python" -m pytest -q -r fE -p no:cacheprovider -m 'not long and not real and not bench' \
    --basetemp "$scratch/$version/tmp" || failed="$failed $version"
  runs=$((runs + 1))
  rm -rf "${scratch:?}/$version"
done

if [ -n "$failed" ]; then
  echo "test-pythons: failed on Python$failed" >&2
  exit 1
fi
echo "test-pythons: $runs other Pythons"
