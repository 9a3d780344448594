#!/usr/bin/env bash
# Make llama-cpp-python's wheel for a Raspberry Pi on another machine, so that the Pi need not compile.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

usage() {
    cat <<'HELP'
Usage: scripts/build-arm64-wheel.sh [--pi4 | --pi5] [--test] FOLDER

Compiles for arm64 on a Debian of any processor and leaves the wheel in FOLDER; on the Pi,
`scripts/install.sh --llama-wheel FOLDER/*.whl` installs it. Needs Debian's g++-aarch64-linux-gnu,
cmake, ninja-build and python3-venv.

  --pi4   for a Raspberry Pi 4, or 3: any 64-bit ARM (the default)
  --pi5   for a Raspberry Pi 5: its dot products make it two to three times as fast
  --test  load the wheel under emulation; also needs mmdebstrap and qemu-user-static
  --help  print this
HELP
}

say() { printf '%s\n' "$*"; }
fail() { printf 'build-arm64-wheel.sh: %s\n' "$*" >&2; exit 1; }

architecture=armv8-a is_tested=0 folder=""
while (($#)); do
    case "$1" in
        --pi4) architecture=armv8-a ;;
        --pi5) architecture=armv8.2-a+dotprod+fp16 ;;
        --test) is_tested=1 ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; fail "unknown option $1" ;;
        *) folder="$1" ;;
    esac
    shift
done
[[ -n "$folder" ]] || { usage >&2; fail "name a folder"; }
for program in aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ cmake ninja; do
    command -v "$program" >/dev/null || fail "needs $program: see --help"
done
mkdir -p "$folder"
folder="$(realpath "$folder")"
work="$(mktemp -d -p "${TMPDIR:-/var/tmp}" edgebot-arm64.XXXXXX)"
trap 'rm -rf "$work"' EXIT
venv="$work/venv" log="$folder/build.log"
# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"

build() {
    local pin
    pin="$(grep '^llama-cpp-python==' "$root/constraints.txt")"
    "$(find_python)" -m venv "$venv"
    : >"$log"
    prepare_build
    # The compiler must not look at the processor that it runs on.
    export CMAKE_ARGS="$CMAKE_ARGS -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
-DGGML_NATIVE=OFF -DGGML_CPU_ARM_ARCH=$architecture"
    # pip and the build name the wheel by this.
    export _PYTHON_HOST_PLATFORM=linux-aarch64
    run_pip wheel --no-cache-dir --no-deps --wheel-dir "$work/wheel" "$pin"
    unset _PYTHON_HOST_PLATFORM
    compgen -G "$work/wheel/*-linux_aarch64.whl" >/dev/null ||
        fail "the wheel is not for arm64: $(ls "$work/wheel")"
    cp "$work"/wheel/*.whl "$folder/"
}

# An arm64 Python loads the library: an instruction or a symbol that is missing shows here.
try_out() {
    local tree="$work/tree" emulator
    emulator="$(command -v qemu-aarch64-static || command -v qemu-aarch64)" ||
        fail "--test needs qemu-user-static"
    mmdebstrap --quiet --variant=extract --architectures=arm64 \
        --include=python3,python3-numpy,python3-typing-extensions,python3-jinja2,libgomp1,libstdc++6 \
        bookworm "$tree"
    "$venv/bin/python" -m zipfile -e "$folder"/llama_cpp_python-*-linux_aarch64.whl "$tree/wheel"
    "$venv/bin/python" -m pip download --quiet --no-deps --dest "$work/pure" diskcache
    "$venv/bin/python" -m zipfile -e "$work"/pure/diskcache-*.whl "$tree/wheel"
    "$emulator" -cpu max -L "$tree" -E PYTHONHOME="$tree/usr" \
        -E PYTHONPATH="$tree/wheel:$tree/usr/lib/python3/dist-packages" \
        -E LD_LIBRARY_PATH="$tree/usr/lib/aarch64-linux-gnu" "$tree/usr/bin/python3" -c \
        'import llama_cpp as l; l.llama_backend_init(); print(l.llama_print_system_info().decode())'
}

say "Compiling for $architecture (output in $log)"
build
((!is_tested)) || try_out
say "$(ls "$folder"/llama_cpp_python-*-linux_aarch64.whl)"
