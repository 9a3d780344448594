"""edgebot ask, with as much time for a turn's words as an emulated processor needs.

Pipecat ends a turn of which it has heard no words for five seconds, and `ask` gives up after eight.
Under emulation speech to text takes longer than that: docs/install.md.
"""

from __future__ import annotations

import sys
from typing import Any

from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregatorParams

from edgebot import asking
from edgebot.__main__ import main

PATIENCE_S = 900.0
_plain = LLMUserAggregatorParams.__init__


def _patient(self: LLMUserAggregatorParams, *args: Any, **named: Any) -> None:
    _plain(self, *args, **{"user_turn_stop_timeout": PATIENCE_S, **named})


if __name__ == "__main__":
    LLMUserAggregatorParams.__init__ = _patient  # type: ignore[method-assign]
    asking._PATIENCE_S = PATIENCE_S
    sys.argv[0] = "edgebot"
    main()
