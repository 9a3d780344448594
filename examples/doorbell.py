"""An event of one's own: a client rings, the assistant says so, and every ring is counted.

    python examples/doorbell.py -t webrtc

A client sends `{"t": "ring", "d": {"door": "garden"}}` as an RTVI client message, and receives the
server message `{"type": "rang", "door": "garden", "count": 1}`.
"""

from __future__ import annotations

from pipecat.processors.frameworks.rtvi.models import ClientMessage
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport

from edgebot.bot import main, run_bot, transport_params
from edgebot.call import Call

DOORS = ("front", "garden")


def with_doorbell(call: Call) -> None:
    """Listen to what the caller's client sends."""
    count = 0

    async def asked(rtvi: RTVIProcessor, message: ClientMessage) -> None:
        nonlocal count
        door = message.data.get("door") if isinstance(message.data, dict) else None
        if door not in DOORS:
            await rtvi.send_error_response(message, f"There is no {door} door.")
            return
        count += 1
        await call.say(f"Somebody is at the {door} door.")
        await rtvi.send_server_message({"type": "rang", "door": door, "count": count})

    call.when_asked["ring"] = asked


async def bot(runner_args: RunnerArguments) -> None:
    """Serve one session."""
    transport = await create_transport(runner_args, transport_params)
    await run_bot(transport, runner_args, when_call=with_doorbell)


if __name__ == "__main__":
    main()
