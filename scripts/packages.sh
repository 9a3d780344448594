#!/usr/bin/env bash
# Python packages for setup.sh and install.sh, which read this file: it runs nothing by itself.
set -euo pipefail

# They set root, the checkout; venv, the virtual environment; log, where pip's words go; and `say`
# and `fail`.
: "${root:?}" "${venv:=}" "${log:=}"
progress_every_s=15
llama_wheels=""

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
    # Where lgpio compiles: with its own C code, and not against a library that may be missing.
    export PYPI=1
    user_cmake_args="${CMAKE_ARGS-}"
    # Left alone, llama.cpp uses half of what a processor can: it takes pip's build for one that is
    # made for other machines.
    llama_options="-DLLAVA_BUILD=OFF -DGGML_NATIVE=ON"
    local lean="'-DCMAKE_PROJECT_llama.cpp_INCLUDE=$root/scripts/llama-lean.cmake'"
    export CMAKE_ARGS="$llama_options $lean $user_cmake_args"
}

# All that decides how llama.cpp comes out: its version, the options, what the compiler makes of
# this processor. pip's own cache looks at the version alone, and would hand a Pi 4 what a Pi 5
# compiled.
llama_key() {
    {
        grep '^llama-cpp-python==' constraints.txt
        cat scripts/llama-lean.cmake
        printf '%s\n' "$llama_options" "${user_cmake_args-}" "$(uname -m)"
        "${CC:-cc}" -march=native -dM -E -x c /dev/null 2>&1 || true
    } | sha256sum | cut -c1-16
}

# Takes the wheel of llama-cpp-python that was handed over, or finds this processor's, or compiles
# it once for all checkouts.
install_llama() {
    local pin cache wheels made
    if [[ -n "${llama_wheel:-}" ]]; then
        run_pip install --no-deps --force-reinstall "$llama_wheel"
        return
    fi
    pin="$(grep "^llama-cpp-python==" "$root/constraints.txt")"
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
    # shellcheck disable=SC2034  # wheelhouse.sh copies them
    llama_wheels="$wheels"
}
