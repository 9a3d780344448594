"""A panel without an assistant: what it does is what its buttons say. Arguments: settings."""

from __future__ import annotations

import signal
import sys

from edgebot.config import load_settings
from edgebot.hw.gestures import Action
from edgebot.hw.panel import Panel
from edgebot.state import Facts

ASLEEP, LISTENING = Facts(started=True), Facts(started=True, awake=True)


def main() -> None:
    settings = load_settings(flags=sys.argv[1:])

    def act(action: Action) -> None:
        print("action:", action, flush=True)
        if action is Action.WAKE:
            panel.show(LISTENING)
        elif action is Action.CANCEL:
            panel.show(ASLEEP)

    def complain(text: str) -> None:
        print("trouble:", text, flush=True)

    panel = Panel(settings.panel, settings.light, act, complain)
    panel.show(ASLEEP)
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM})
    panel.close()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
