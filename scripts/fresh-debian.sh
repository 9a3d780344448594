#!/usr/bin/env bash
# Prove the set-up: run commands in a clone of this checkout in an empty Debian, and time each.
set -euo pipefail

usage() {
    cat <<'HELP'
Usage: scripts/fresh-debian.sh [--keep DIR] [--user] [SUITE] [COMMAND...]

Makes a Debian tree that holds nothing but ca-certificates, git and make, clones what is committed
here into it, and runs each COMMAND in the clone until one fails.
SUITE is bookworm (the default) or trixie; the commands are "make run", "make run", "make test".

  --keep DIR  make the tree at DIR and leave it there; one that is there already is used again
  --user      run as an ordinary user who has sudo, instead of as root
  --help      print this

Needs root, mmdebstrap and either systemd-nspawn or chroot. The tree shares the host's network, its
proxy settings, its certificates and its settings for pip.
HELP
}

fail() { printf 'fresh-debian.sh: %s\n' "$*" >&2; exit 1; }

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
certificates=/etc/ssl/certs/ca-certificates.crt
suite=bookworm tree="" is_kept=0 user=root
while (($#)); do
    case "$1" in
        --keep) tree="${2:?--keep needs a folder}"; is_kept=1; shift ;;
        --user) user=guest ;;
        -h | --help) usage; exit 0 ;;
        bookworm | trixie) suite="$1" ;;
        -*) usage >&2; fail "unknown option $1" ;;
        *) break ;;
    esac
    shift
done
commands=("$@")
((${#commands[@]})) || commands=("make run" "make run" "make test")
((EUID == 0)) || fail "needs root, to make a Debian tree."
command -v mmdebstrap >/dev/null || fail "needs mmdebstrap: apt-get install mmdebstrap"

mounted=()
clean_up() {
    local place
    for place in "${mounted[@]}"; do
        umount "$place"
    done
    if ((!is_kept)); then
        rm -rf --one-file-system "$tree"
    fi
}

make_tree() {
    local packages=ca-certificates,git,make
    [[ "$user" == root ]] || packages+=,sudo
    echo "== an empty Debian $suite in $tree"
    mmdebstrap --quiet --variant=minbase --include="$packages" "$suite" "$tree"
    apt-config dump | grep -E '^Acquire::(http|https)::' >"$tree/etc/apt/apt.conf.d/90host" || true
    if [[ "$user" != root ]]; then
        chroot "$tree" /usr/sbin/useradd --create-home --shell /bin/bash "$user"
        echo "$user ALL=(ALL) NOPASSWD: ALL" >"$tree/etc/sudoers.d/$user"
    fi
}

# What the host's environment says of proxies, certificates and pip holds in the tree as well.
environment() {
    local name
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY CI \
        PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT; do
        [[ -n "${!name:-}" ]] && printf '%s=%s\n' "$name" "${!name}"
    done
    for name in PIP_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE; do
        [[ -n "${!name:-}" ]] && printf '%s=%s\n' "$name" "$certificates"
    done
    printf '%s\n' "HOME=$home" "USER=$user" "LOGNAME=$user" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

can_nspawn() {
    command -v systemd-nspawn >/dev/null &&
        systemd-nspawn --quiet --register=no --keep-unit -D "$tree" true 2>/dev/null
}

mount_for_chroot() {
    local place
    for place in proc sys dev dev/pts; do
        mount --bind "/$place" "$tree/$place"
        mounted=("$tree/$place" "${mounted[@]}")
    done
    cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
    cp -L "$certificates" "$tree$certificates"
}

# Runs its arguments in the tree, as its user, in an environment of its own.
inside() {
    local settings
    mapfile -t settings < <(environment)
    local command=(/usr/sbin/runuser -u "$user" -- /usr/bin/env -i "${settings[@]}" "$@")
    if ((is_nspawn)); then
        # nspawn says at its end that it leaves a folder of its own under /run; nobody needs that.
        systemd-nspawn --quiet --register=no --keep-unit -D "$tree" --console=pipe \
            --bind-ro="$certificates" "${command[@]}" 2> >(grep -v '^Attempted to remove disk' >&2)
    else
        chroot "$tree" "${command[@]}"
    fi
}

[[ -n "$tree" ]] || tree="$(mktemp -d -p "${TMPDIR:-/var/tmp}" edgebot-debian.XXXXXX)"
trap clean_up EXIT
[[ -e "$tree/etc/debian_version" ]] || make_tree
home="$(chroot "$tree" /usr/bin/getent passwd "$user" | cut -d: -f6)"
[[ -n "$home" ]] || fail "the tree has no user $user"
is_nspawn=0
if can_nspawn; then
    is_nspawn=1
else
    mount_for_chroot
fi

if [[ -n "$(git -C "$root" status --porcelain)" ]]; then
    echo "== what is not committed is left out"
fi
clone="$home/edgebot"
rm -rf "${tree:?}$clone"
git clone --quiet --no-hardlinks "$root" "$tree$clone"
chroot "$tree" /usr/bin/chown -R "$user:" "$clone"

for command in "${commands[@]}"; do
    echo "== $command"
    begun=$SECONDS status=0
    inside bash -c "cd '$clone' && $command" </dev/null || status=$?
    printf '== %s: %s after %d s\n' "$command" \
        "$( ((status)) && echo "failed with $status" || echo passed)" $((SECONDS - begun))
    ((status == 0)) || exit "$status"
done
