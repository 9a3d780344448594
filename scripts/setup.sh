#!/usr/bin/env bash
# Set up .venv with edgebot and its models; does nothing that is done already. `make` calls this.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
venv="$root/.venv"
log="$venv/setup.log"

usage() {
    cat <<'HELP'
Usage: scripts/setup.sh [--dev] [--no-models]

  --dev        also what the tests and the checks need
  --no-models  leave the models out
  --help       print this

PYTHON names the Python to use (3.11 or later); otherwise the first one that fits is taken.
HELP
}

say() { printf '%s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"

install_python_packages() {
    local extra="$1" python key venv_key
    python="$(find_python)"
    # A virtual environment holds its own path and its Python's version, so both are in its key.
    venv_key="$root $("$python" --version)"
    key="$(cat pyproject.toml constraints.txt scripts/setup.sh scripts/packages.sh \
        scripts/install.sh scripts/llama-lean.cmake | sha256sum) $venv_key"
    if [[ "$(cat "$venv/.installed$extra" 2>/dev/null)" == "$key" ]]; then
        return
    fi
    if [[ "$(cat "$venv/.made" 2>/dev/null)" != "$venv_key" ]]; then
        say "Making a virtual environment in .venv with $("$python" --version)"
        "$python" -m venv --clear "$venv" || fail "python -m venv failed with $python"
        printf '%s' "$venv_key" >"$venv/.made"
    fi
    : >"$log"
    prepare_build
    say "Installing Python packages (output in .venv/setup.log)"
    rm -f "$venv"/.installed*
    run_pip install --constraint constraints.txt --upgrade pip
    install_llama
    run_pip install --constraint constraints.txt --editable ".$extra"
    rm -rf "$venv/tmp"
    # The larger set holds the smaller one.
    printf '%s' "$key" | tee "$venv/.installed" >"$venv/.installed$extra"
    say "Python packages are installed ($(clock $SECONDS))"
}

# What is installed and what is wanted; looks at this machine only.
models_state() { "$venv/bin/edgebot" models list --json | sha256sum; }

# Asks the network once; a model that cannot be had then has a stand-in, and a later run starts
# at once, unless models have been removed or others are wanted since.
pull_models() {
    local extra="$1"
    if [[ "$(cat "$venv/.models$extra" 2>/dev/null)" == "$(models_state)" ]]; then
        return
    fi
    "$venv/bin/edgebot" models pull
    if [[ -n "$extra" ]]; then
        "$venv/bin/edgebot" models pull vosk-model-small-ko
    fi
    models_state | tee "$venv/.models" >"$venv/.models$extra"
}

extra="" models=1 test_option=()
while (($#)); do
    case "$1" in
        --dev) extra="[dev]"; test_option=(--test) ;;
        --no-models) models=0 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "unknown option $1" ;;
    esac
    shift
done

scripts/install.sh --deps-only "${test_option[@]}"
install_python_packages "$extra"
if ((models)); then
    pull_models "$extra"
fi
