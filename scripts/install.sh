#!/usr/bin/env bash
# Install edgebot as a service, or only what it needs: on Debian 12 and 13 and Raspberry Pi OS.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="" log=""

# The one list of Debian packages: group, package, reason.
debian_packages() {
    cat <<'LIST'
run    python3              runs edgebot
run    python3-venv         makes its virtual environment
run    ca-certificates      lets models come over HTTPS
run    libportaudio2        sound in and out (PyAudio, sounddevice)
run    libgomp1             threads of llama.cpp
run    libatomic1           atomics of Vosk on arm64
run    libsystemd0          tells systemd what the service does
build  build-essential      compiles llama.cpp and PyAudio
build  cmake                configures llama.cpp
build  ninja-build          builds llama.cpp
build  python3-dev          headers of Python
build  portaudio19-dev      headers of PortAudio
build  swig                 binds lgpio where Python is 3.13
build  libsystemd-dev       headers of systemd's library
build  pkg-config           finds them
test   chromium             opens the bridge's page, if apt has one
test   espeak-ng            speaks Korean to Vosk
test   git                  lists the checkout's own files
test   iproute2             networks that the tests make for themselves
test   libasound2-plugins   ALSA's way to PulseAudio
test   mmdebstrap           makes a Debian of its own, to install the service in
test   pulseaudio           a sound server with a virtual microphone and speaker
test   pulseaudio-utils     plays and records there
test   shellcheck           reads the shell scripts
test   systemd-container    boots it with a systemd
LIST
}

usage() {
    cat <<'HELP'
Usage: scripts/install.sh [--no-models | --models BUNDLE] [--offline WHEELHOUSE] [--user]
       scripts/install.sh --rollback | --uninstall [--purge]
       scripts/install.sh --deps-only [--test]

Without options it installs edgebot as a service that starts at every boot; run again, it upgrades.
A version that does not come up is taken back.

  --no-models           leave the models out
  --models BUNDLE       take the models from a bundle (edgebot models export)
  --offline WHEELHOUSE  take Python packages from a folder (scripts/wheelhouse.sh), not the network
  --llama-wheel FILE    take llama.cpp from a wheel (scripts/build-arm64-wheel.sh); nothing compiles
  --user                for yourself, without root: the service runs while you are logged in
  --rollback            go back to the version before; edgebot rollback does so too
  --uninstall           remove all but the models and the settings
  --purge               remove those as well
  --deps-only           install the Debian packages that edgebot needs to build and to run
  --test                also those that its tests need
  --dry-run             print what would be done and do nothing
  --list                print the packages, each with its group and its reason
  --help                print this
HELP
}

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

is_installed() {
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

has_candidate() {
    local candidate
    candidate="$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p')"
    [[ -n "$candidate" && "$candidate" != "(none)" ]]
}

warn_if_unknown_system() {
    local id="" version_id="" pretty_name=""
    if [[ -r "${OS_RELEASE:-/etc/os-release}" ]]; then
        # shellcheck source=/dev/null
        read -r id version_id pretty_name < <(
            . "${OS_RELEASE:-/etc/os-release}"
            printf '%s %s %s\n' "${ID:-unknown}" "${VERSION_ID:-unknown}" "${PRETTY_NAME:-}"
        )
    fi
    case "$id-$version_id" in
        debian-12 | debian-13) return ;; # Raspberry Pi OS calls itself Debian as well
    esac
    say "Warning: ${pretty_name:-this system} is not Debian 12, Debian 13 or Raspberry Pi OS." \
        "edgebot needs what Debian calls: $*" >&2
}

# Runs its arguments as root. sudo empties the environment, so `env` carries the settings.
as_root() {
    local command=(env DEBIAN_FRONTEND=noninteractive "$@")
    if ((EUID != 0)); then
        command=(sudo "${command[@]}")
    fi
    if ((dry_run)); then
        say "Would run: ${command[*]}"
    else
        "${command[@]}"
    fi
}

update_lists() { as_root apt-get update -q; }
# --no-remove: nothing that the system has goes away for edgebot's sake.
install_packages() {
    as_root apt-get install -q -y --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 "$@"
}

# PulseAudio and Debian's PipeWire exclude each other; a desktop keeps the one that it has.
without_rivals() {
    local package
    for package in "$@"; do
        if [[ "$package" == pulseaudio ]] && is_installed pipewire-audio; then
            say "Leaving out pulseaudio: this system has PipeWire. Tests that need it are skipped." >&2
        else
            printf '%s\n' "$package"
        fi
    done
}

# A browser is worth having for the tests, and no reason to fail.
without_luxuries() {
    local package
    for package in "$@"; do
        if [[ "$package" == chromium ]] && ! has_candidate chromium; then
            say "Leaving out chromium: apt has none here. Tests that need a browser are skipped." >&2
        else
            printf '%s\n' "$package"
        fi
    done
}

install_debian_packages() {
    local groups="$1" wanted=() missing=() group package _
    while read -r group package _; do
        [[ " $groups " == *" $group "* ]] && wanted+=("$package")
    done < <(debian_packages)
    warn_if_unknown_system "${wanted[@]}"

    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        return
    fi
    case "$(dpkg --print-architecture)" in
        amd64 | arm64) ;;
        *) fail "edgebot needs a 64-bit system (arm64 or amd64): its speech engines exist for no other." ;;
    esac
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]} == 0)) || mapfile -t missing < <(without_rivals "${missing[@]}")
    if ((${#missing[@]} == 0)); then
        ((dry_run)) && say "Nothing to do: all ${#wanted[@]} Debian packages are installed."
        return 0
    fi

    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        fail "Debian packages are missing and there is no sudo; run this as root, then try again:" \
            "apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
    local is_updated=0
    for package in "${missing[@]}"; do
        if ! has_candidate "$package"; then
            update_lists
            is_updated=1
            break
        fi
    done
    mapfile -t missing < <(without_luxuries "${missing[@]}")
    ((${#missing[@]} == 0)) && return 0
    if ! install_packages "${missing[@]}"; then
        # Lists older than the archive name files that it no longer holds.
        ((is_updated)) && fail "apt-get could not install: ${missing[*]}"
        update_lists
        install_packages "${missing[@]}" || fail "apt-get could not install: ${missing[*]}"
    fi
}

# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"
# shellcheck source=scripts/appliance.sh
. "$root/scripts/appliance.sh"

deps_only=0 dry_run=0 groups="run build" what=install options=("$@")
models=1 bundle="" wheelhouse="" llama_wheel="" for_user=0 is_purge=0
while (($#)); do
    case "$1" in
        --no-models) models=0 ;;
        --models) bundle="$(realpath "${2:?--models needs a bundle}")"; shift ;;
        --offline) wheelhouse="$(realpath "${2:?--offline needs a folder}")"; shift ;;
        --llama-wheel) llama_wheel="$(realpath "${2:?--llama-wheel needs a file}")"; shift ;;
        --user) for_user=1 ;;
        --rollback) what=roll_back ;;
        --uninstall) what=uninstall ;;
        --purge) is_purge=1 ;;
        --deps-only) deps_only=1 ;;
        --test) groups="run build test" ;;
        --dry-run) dry_run=1 ;;
        --list) debian_packages; exit 0 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "unknown option $1" ;;
    esac
    shift
done

if ((deps_only)); then
    install_debian_packages "$groups"
    exit
fi
((!is_purge)) || [[ "$what" == uninstall ]] || fail "--purge goes with --uninstall"
[[ -z "$wheelhouse" || -d "$wheelhouse" ]] || fail "there is no folder $wheelhouse"
[[ -z "$llama_wheel" || -f "$llama_wheel" ]] || fail "there is no wheel $llama_wheel"
[[ -z "$bundle" || -e "$bundle" ]] || fail "there is no bundle $bundle"
set_paths
if ((for_user)) && [[ "$what" == install && -e "${DESTDIR:-}/opt/edgebot/current" ]]; then
    # Two would share one microphone, and one of them could not write its models.
    fail "edgebot is installed for everybody here; to have it for yourself, first remove that with" \
        "its models and settings: sudo scripts/install.sh --uninstall --purge"
fi
if ((EUID != 0 && !for_user && !dry_run)) && [[ -z "${DESTDIR:-}" ]]; then
    command -v sudo >/dev/null || fail "run this as root: there is no sudo here"
    exec sudo "${BASH_SOURCE[0]}" "${options[@]}"
fi
if ((dry_run)) && [[ "$what" != install ]]; then
    say "Would $what in $base"
    exit
fi
case "$what" in
    install) cd "$root"; install_appliance ;;
    *) "$what" ;;
esac
