#!/usr/bin/env bash
# Talk with edgebot by voice where there is a microphone and a speaker, otherwise by examples.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
edgebot=.venv/bin/edgebot
no_sound=6

status=0
"$edgebot" devices --check || status=$?
case "$status" in
    0) exec "$edgebot" run "$@" ;;
    "$no_sound")
        echo "edgebot answers a few example questions instead."
        exec "$edgebot" demo "$@"
        ;;
    *) exit "$status" ;;
esac
