#!/usr/bin/env bash
# Collect all of edgebot's Python packages in a folder, for `install.sh --offline`.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

usage() {
    cat <<'HELP'
Usage: scripts/wheelhouse.sh FOLDER

Run it on a machine like the one that it is for: the same processor, the same Debian. It needs what
`scripts/install.sh --deps-only` installs.

  --help  print this
HELP
}

say() { printf '%s\n' "$*"; }
fail() { printf 'wheelhouse.sh: %s\n' "$*" >&2; exit 1; }

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
    "" | -*) usage >&2; fail "name a folder" ;;
esac
mkdir -p "$1"
wheels="$(realpath "$1")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
venv="$work/venv" log="$work/log"
# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"

cd "$root"
"$(find_python)" -m venv "$venv"
prepare_build
: >"$log"
run_pip install --constraint constraints.txt --upgrade pip
install_llama
# The wheel that is made for this processor already.
cp "$llama_wheels"/*.whl "$wheels/"
# hatchling builds edgebot itself; pip renews itself first.
run_pip wheel --constraint constraints.txt --find-links "$wheels" --wheel-dir "$wheels" \
    '.[bridge]' pip hatchling
say "$(find "$wheels" -name '*.whl' | wc -l) packages are in $wheels"
