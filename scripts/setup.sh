#!/usr/bin/env bash
# Set up .venv with edgebot and its models; does nothing that is done already. `make` calls this.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
venv="$root/.venv"
log="$venv/setup.log"
progress_every_s=15

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

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 /usr/bin/python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "edgebot needs Python 3.11 or later; set PYTHON to one (found: $(
        "${PYTHON:-python3}" --version 2>&1 || true))."
}

# One compile job for each GB of free memory: a file of llama.cpp takes up to that much.
build_jobs() {
    local free_kb jobs cores
    free_kb="$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)"
    jobs=$(((free_kb + 524288) / 1048576))
    cores="$(nproc)"
    ((jobs < 1)) && jobs=1
    ((jobs > cores)) && jobs=$cores
    echo "$jobs"
}

# What pip is doing, from its own words in the log.
phase() {
    awk '
        /^Collecting / || /^  Downloading / {phase = "downloading packages"}
        /^ *Building wheel for .*: started/ || /^ *Building editable for .*: started/ {
            phase = "building " $4
            if ($4 ~ /llama/) phase = "compiling llama.cpp (3 to 20 minutes, once)"
        }
        /: finished with status/ {phase = "building packages"}
        /^Installing collected packages/ {phase = "installing packages"}
        END {print phase ? phase : "looking for packages"}
    ' "$log"
}

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

pip_pid=""
stop_pip() {
    if [[ -n "$pip_pid" ]]; then
        kill -TERM -- "-$pip_pid" 2>/dev/null || kill -TERM "$pip_pid" 2>/dev/null || true
        wait "$pip_pid" || true
    fi
    exit 130
}

# Runs pip with its output in the log, and tells every 15 s what it is at.
run_pip() {
    local status=0 begun=$SECONDS next=$((SECONDS + progress_every_s))
    trap stop_pip INT TERM HUP
    # In a session of its own, so that Ctrl-C ends the compilers that pip starts as well.
    setsid "$venv/bin/python" -m pip "$@" >>"$log" 2>&1 </dev/null &
    pip_pid=$!
    while kill -0 "$pip_pid" 2>/dev/null; do
        sleep 0.1
        if ((SECONDS >= next)); then
            say "  $(clock $((SECONDS - begun))) $(phase)"
            next=$((SECONDS + progress_every_s))
        fi
    done
    wait "$pip_pid" || status=$?
    pip_pid=""
    trap - INT TERM HUP
    if ((status)); then
        tail -n 40 "$log" >&2
        fail "pip could not install edgebot's packages; its whole output is in $log"
    fi
}

prepare_build() {
    export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_USER=0
    # /tmp can be held in memory, which a small Pi has not enough of for a build.
    export TMPDIR="${TMPDIR:-$venv/tmp}"
    mkdir -p "$TMPDIR"
    export CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(build_jobs)}"
    user_cmake_args="${CMAKE_ARGS-}"
    local lean="-DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama.cpp_INCLUDE=$root/scripts/llama-lean.cmake'"
    export CMAKE_ARGS="$lean $user_cmake_args"
}

# All that decides how llama.cpp comes out: its version, the options, what the compiler makes of
# this processor. pip's own cache looks at the version alone, and would hand a Pi 4 what a Pi 5
# compiled.
llama_key() {
    {
        grep '^llama-cpp-python==' constraints.txt
        cat scripts/llama-lean.cmake
        printf '%s\n' "${user_cmake_args-}" "$(uname -m)"
        "${CC:-cc}" -march=native -dM -E -x c /dev/null 2>&1 || true
    } | sha256sum | cut -c1-16
}

# Finds this processor's wheel of llama-cpp-python, or compiles it once for all checkouts.
install_llama() {
    local pin cache wheels made
    pin="$(grep '^llama-cpp-python==' constraints.txt)"
    cache="${XDG_CACHE_HOME:-${HOME:-$venv}/.cache}/edgebot/wheels"
    mkdir -p "$cache" 2>/dev/null && [[ -w "$cache" ]] || cache="$venv/wheels"
    wheels="$cache/$(llama_key)"
    if ! compgen -G "$wheels/*.whl" >/dev/null; then
        made="$wheels.new"
        rm -rf "$made"
        run_pip wheel --no-cache-dir --no-deps --wheel-dir "$made" "$pin"
        rm -rf "$wheels"
        mv "$made" "$wheels"
    fi
    run_pip install --no-deps --force-reinstall "$wheels"/*.whl
}

install_python_packages() {
    local extra="$1" python key venv_key
    python="$(find_python)"
    # A virtual environment holds its own path and its Python's version, so both are in its key.
    venv_key="$root $("$python" --version)"
    key="$(cat pyproject.toml constraints.txt scripts/setup.sh scripts/install.sh \
        scripts/llama-lean.cmake | sha256sum) $venv_key"
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
