#!/usr/bin/env bash
# The appliance for install.sh, which reads this file: versions side by side, a service, a way back.
set -euo pipefail

# install.sh sets root (the checkout, or the version that this file was copied into), the options
# and `say`, `fail` and `install_debian_packages`.
: "${root:?}" "${dry_run:=0}" "${for_user:=0}" "${models:=1}" "${bundle:=}" "${wheelhouse:=}" "${is_purge:=0}"
# How long a new version must stay up before it is believed.
stays_up_s="${STAYS_UP_S:-10}"
unit=edgebot.service
# The other program, which has the network and no models. Nobody starts it but you: docs/calls.md.
bridge_unit="edgebot-bridge.service"
steps=7 step=0

# A prefix for all paths, for packages and tests.
destdir="${DESTDIR:-}"

set_paths() {
    if ((for_user)); then
        local data="${XDG_DATA_HOME:-$HOME/.local/share}" config="${XDG_CONFIG_HOME:-$HOME/.config}"
        base="$data/edgebot/app" state="$data/edgebot" settings="$config/edgebot/edgebot.toml"
        command="$HOME/.local/bin/edgebot" units="$config/systemd/user"
        shells="$data" log="$data/edgebot/install.log"
        cache="${XDG_CACHE_HOME:-$HOME/.cache}/edgebot"
        # A user's own manager has StateDirectory= there, since systemd 254 and before.
        caches=("$cache/prompts" "$cache/weights" "$config/edgebot/last-good.toml"
            "${XDG_STATE_HOME:-$HOME/.local/state}/edgebot")
        target=default.target systemctl=(systemctl --user) journal=(journalctl --user -u "$unit")
    else
        base="$destdir/opt/edgebot" state="$destdir/var/lib/edgebot"
        settings="$destdir/etc/edgebot/edgebot.toml" command="$destdir/usr/local/bin/edgebot"
        units="$destdir/etc/systemd/system" shells="$destdir/usr/local/share"
        log="$destdir/var/log/edgebot-install.log"
        cache="$destdir/var/cache/edgebot" caches=("$cache" "$state/.cache")
        target=multi-user.target systemctl=(systemctl) journal=(journalctl -u "$unit")
    fi
    completions=(
        "$shells/bash-completion/completions/edgebot"
        "$shells/zsh/site-functions/_edgebot"
    )
}

next_step() {
    step=$((step + 1))
    say "[$step/$steps] $*"
}

# Runs its arguments with their output in the log; when they fail, its end is shown.
logged() {
    local status=0
    "$@" >>"$log" 2>&1 </dev/null || status=$?
    if ((status)); then
        tail -n 20 "$log" >&2
    fi
    return "$status"
}

# What is installed decides the name: the same files are the same version.
version_id() {
    local version content
    version="$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$root/edgebot/__init__.py")"
    content="$(cd "$root" && find edgebot scripts systemd pyproject.toml constraints.txt README.md \
        -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum |
        sha256sum | cut -c1-8)"
    echo "$version-$content"
}

name_of() { basename "$(readlink "$base/$1" 2>/dev/null || true)"; }

is_running_systemd() {
    [[ -z "$destdir" && -d /run/systemd/system ]] && command -v systemctl >/dev/null || return 1
    # Without a session, as through su, a user's own manager cannot be reached.
    ((!for_user)) || systemctl --user show-environment >/dev/null 2>&1
}

make_user_and_folders() {
    mkdir -p "$base/versions" "$state" "$(dirname "$settings")" "$(dirname "$command")" "$units"
    ((for_user)) && return
    chmod 0755 "$base" "$base/versions" "$state"
    [[ -z "$destdir" ]] || return 0
    if ! getent passwd edgebot >/dev/null; then
        logged useradd --system --user-group --home-dir "$state" --no-create-home \
            --shell /usr/sbin/nologin edgebot || fail "the user edgebot could not be made"
    fi
    local group
    for group in audio gpio spi; do
        getent group "$group" >/dev/null && logged usermod --append --groups "$group" edgebot
    done
    chown edgebot: "$state"
    # What the service may not change: a stranger in the service could not forge a model.
    mkdir -p "$state/models"
    chown root: "$state/models"
    chmod 0755 "$state/models"
}

# Makes the version's folder, which is its virtual environment as well.
make_version() {
    venv="$base/versions/$version"
    if [[ -e "$venv/.complete" ]]; then
        say "  $version is here already"
        return
    fi
    rm -rf "$venv"
    local python begun=$SECONDS
    python="$(find_python)"
    logged "$python" -m venv --clear "$venv" || fail "python -m venv failed; the log is $log"
    prepare_build
    if [[ -n "$wheelhouse" ]]; then
        export PIP_NO_INDEX=1 PIP_FIND_LINKS="$wheelhouse"
    fi
    run_pip install --constraint "$root/constraints.txt" --upgrade pip
    [[ -n "$wheelhouse" ]] || install_llama
    run_pip install --constraint "$root/constraints.txt" "${root}[bridge]"
    rm -rf "$venv/tmp" "$venv/wheels"
    cp -r "$root/scripts" "$root/systemd" "$venv/"
    cp "$root/edgebot/defaults.toml" "$venv/"
    logged "$venv/bin/edgebot" --version || fail "the new version does not even start; see $log"
    # Nobody but root needs to write here, and everybody may read.
    chmod -R u=rwX,go=rX "$venv"
    sync -f "$venv"
    touch "$venv/.complete"
    say "  $version took $((SECONDS - begun)) s"
}

# Every key, commented out: the defaults stay the defaults until somebody changes one.
write_settings() {
    if [[ -e "$settings" ]]; then
        say "  $settings is yours and stays as it is"
        return
    fi
    {
        echo "# Settings of edgebot. Take the # away before what you change; \`edgebot config check\`"
        echo "# tells whether all is well, and \`sudo systemctl reload edgebot\` applies it."
        echo
        sed -e '1,/^$/d' -e 's/^\([^#[]\)/# \1/' -e 's/^    {/#     {/' "$venv/defaults.toml"
    } >"$settings.new"
    chmod 0644 "$settings.new"
    mv "$settings.new" "$settings"
}

write_command_and_completion() {
    ln -sfn "$base/current/bin/edgebot" "$command"
    local shell file number=0
    for shell in bash zsh; do
        file="${completions[number]}"
        number=$((number + 1))
        mkdir -p "$(dirname "$file")"
        _EDGEBOT_COMPLETE="source_$shell" "$venv/bin/edgebot" >"$file" 2>>"$log" || rm -f "$file"
    done
}

get_models() {
    local edgebot=("$venv/bin/edgebot")
    if [[ -n "$bundle" ]]; then
        logged "${edgebot[@]}" models import "$bundle" ||
            fail "the models could not be read from $bundle; the log is $log"
    elif ((models)); then
        "${edgebot[@]}" models pull 2>&1 | tee -a "$log" ||
            fail "the models could not be fetched: see to the network and run this again, or use" \
                "--models BUNDLE, or --no-models and later \`sudo edgebot models pull\`"
    else
        say "  left out; \`sudo edgebot models pull\` fetches them"
    fi
}

# Puts a version's units in force. A user's own manager cannot do all of it: see docs/service.md.
write_unit() {
    local from="$base/versions/$1/systemd"
    if ((for_user)); then
        sed -E -e "s#/opt/edgebot#$base#; s#/var/lib/edgebot#%h#; s#^(WantedBy=).*#\1$target#" \
            -e '/^(Environment=XDG|User|Nice|IPAddressDeny|Private[A-Z]|DevicePolicy|DeviceAllow|BindPaths)/d' \
            -e '/^(Protect|ReadOnlyPaths|RemoveIPC|KeyringMode|Capability|Wants=|After=|IOWeight)/d' \
            "$from/$unit" >"$units/.$unit.new"
    else
        cp "$from/$unit" "$units/.$unit.new"
    fi
    mv "$units/.$unit.new" "$units/$unit"
    if ((!for_user)) && [[ -e "$from/$bridge_unit" ]]; then
        cp "$from/$bridge_unit" "$units/.$bridge_unit.new"
        mv "$units/.$bridge_unit.new" "$units/$bridge_unit"
    fi
    rm -rf "${units:?}/$unit.d/backoff.conf"
    if [[ "$(systemctl --version 2>/dev/null | awk 'NR==1 {print $2}')" -ge 254 ]]; then
        mkdir -p "$units/$unit.d"
        cp "$from/backoff.conf" "$units/$unit.d/"
    fi
}

point() {
    ln -sfn "versions/$2" "$base/$1.new"
    mv -T "$base/$1.new" "$base/$1"
}

# Makes a version the current one; the way back is remembered.
switch_to() {
    local before
    before="$(name_of current)"
    if [[ -n "$before" && "$before" != "$1" ]]; then
        point previous "$before"
    fi
    point current "$1"
    write_unit "$1"
    if is_running_systemd; then
        logged "${systemctl[@]}" daemon-reload
    fi
}

# `systemctl restart` waits for READY. A version that then falls over is not up either.
comes_up_and_stays() {
    local pid second
    logged "${systemctl[@]}" restart "$unit" || return 1
    pid="$("${systemctl[@]}" show -P MainPID "$unit")"
    for ((second = 0; second < stays_up_s; second++)); do
        sleep 1
        [[ "$("${systemctl[@]}" show -P ActiveState "$unit")" == active ]] || return 1
        [[ "$("${systemctl[@]}" show -P MainPID "$unit")" == "$pid" ]] || return 1
    done
    say "  up: $("${systemctl[@]}" show -P StatusText "$unit")"
    # Who may be called is called by the same version.
    ((for_user)) || logged systemctl try-restart "$bridge_unit" || true
}

start_or_go_back() {
    local before
    before="$(name_of current)"
    switch_to "$version"
    if ! is_running_systemd; then
        say "  systemd does not run here: the service starts at the next $( ((for_user)) && echo login || echo boot)"
        mkdir -p "$units/$target.wants"
        ln -sf "../$unit" "$units/$target.wants/$unit"
        return
    fi
    logged "${systemctl[@]}" enable "$unit" || fail "the service could not be enabled; see $log"
    comes_up_and_stays && return
    "${journal[@]}" -n 20 --no-pager >&2 || true
    if [[ -z "$before" || "$before" == "$version" ]]; then
        logged "${systemctl[@]}" stop "$unit" || true
        fail "the service does not come up; its last words are above, the log is $log." \
            "When you have mended it, run this again"
    fi
    say "  $version does not come up: back to $before"
    switch_to "$before"
    rm -f "$base/previous"
    remove_old_versions
    comes_up_and_stays || fail "$before does not come up either; \`journalctl -u edgebot\` tells why"
    fail "$version does not come up, and $before runs again; the log is $log"
}

# The current version and the one before stay; older ones go.
remove_old_versions() {
    local folder name
    for folder in "$base"/versions/*/; do
        name="$(basename "$folder")"
        if [[ "$name" != "$(name_of current)" && "$name" != "$(name_of previous)" ]]; then
            rm -rf "$folder"
        fi
    done
}

roll_back() {
    local before
    before="$(name_of previous)"
    [[ -n "$before" && -d "$base/versions/$before" ]] || fail "there is no version to go back to"
    say "Back to $before"
    touch "$log"
    switch_to "$before"
    is_running_systemd || return 0
    comes_up_and_stays || fail "$before does not come up; \`journalctl -u edgebot\` tells why"
}

uninstall() {
    if is_running_systemd && [[ -e "$units/$unit" ]]; then
        "${systemctl[@]}" disable --now "$unit" "$bridge_unit" >/dev/null 2>&1 || true
    fi
    local name
    for name in "$unit" "$bridge_unit"; do
        rm -rf "${units:?}/$name" "$units/.$name.new" "$units/$name.d" "$units/$target.wants/$name"
    done
    if is_running_systemd; then
        "${systemctl[@]}" daemon-reload
        "${systemctl[@]}" reset-failed "$unit" "$bridge_unit" 2>/dev/null || true
    fi
    rm -rf "$base" "$command" "${completions[@]}" "$log" "${caches[@]}"
    if ((!for_user)); then
        # The bridge's own: the secret of its link.
        rm -rf "$destdir/var/lib/edgebot-bridge" "$destdir/var/lib/private/edgebot-bridge"
    fi
    rmdir -p --ignore-fail-on-non-empty "${completions[@]%/*}" 2>/dev/null || true
    rm -f "$state"/last-good.toml
    if ((is_purge)); then
        rm -rf "$state" "$settings"
    else
        rmdir "$state/models" 2>/dev/null || true
    fi
    rmdir "$state" "$(dirname "$settings")" "$cache" 2>/dev/null || true
    if ((!for_user)) && [[ -z "$destdir" ]] && getent passwd edgebot >/dev/null; then
        userdel edgebot
        # What stays behind belongs to nobody who could come later under the same number.
        if [[ -d "$state" ]]; then
            chown -R root: "$state"
        fi
    fi
    local kept=()
    [[ ! -e "$settings" ]] || kept+=("$settings")
    [[ ! -e "$state" ]] || kept+=("$state")
    say "edgebot is gone.${kept[*]:+ What is yours stays: ${kept[*]} (--purge takes it away).}" \
        "Debian's packages stay as well."
}

plan() {
    say "Would install edgebot $version:"
    say "  Debian packages: see install.sh --list"
    say "  $base/versions/$version, with $base/current pointing there"
    say "  models below $state, settings in $settings$([[ ! -e "$settings" ]] || echo " (there, kept)")"
    say "  $command, the service $units/$unit, and completion for bash and zsh"
    ((for_user)) || say "  $units/$bridge_unit, which stays off until you enable it"
    ((for_user)) || say "  the system user edgebot, in the groups audio, gpio and spi where they exist"
}

install_appliance() {
    local groups=run begun=$SECONDS
    [[ -n "$wheelhouse" ]] || groups="run build"
    version="$(version_id)"
    if ((dry_run)); then
        plan
        return
    fi
    mkdir -p "$(dirname "$log")"
    : >"$log"
    say "Installing edgebot $version; the log is $log"
    next_step "Debian packages"
    (install_debian_packages "$groups") >>"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "Debian's packages could not be installed; the log is $log"
    }
    next_step "user and folders"
    make_user_and_folders
    next_step "Python packages"
    make_version
    next_step "settings: $settings"
    write_settings
    next_step "models: $state"
    get_models
    next_step "command: $command"
    write_command_and_completion
    next_step "service"
    start_or_go_back
    remove_old_versions
    say "edgebot is installed ($(clock $((SECONDS - begun)))). \`edgebot status\` tells how it is."
}
