"""The microphone and the speaker as one transport.

Pipecat's own local transport opens its devices once, and writes to them and waits: a device that
goes, or a sound server that stalls, stops it for good, and an interruption plays on until its
buffers are empty. Here a device that fails is a fault that is shown, and the device is opened
again as soon as it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport, TransportParams

from edgebot.stages.device_health import Told
from edgebot.stages.microphone import RATE_HZ, DeviceInput, OpenMicrophone
from edgebot.stages.speaker import DeviceOutput, OpenSpeaker
from edgebot.state import Fault


class DeviceTransport(BaseTransport):
    """A conversation through a microphone and a speaker, opened when the pipeline starts.

    A device that fails is told of by one `FaultFrame`, and by another one when it works again.
    """

    def __init__(
        self,
        *,
        open_microphone: OpenMicrophone | None,
        open_speaker: OpenSpeaker,
        speaker_rate_hz: int,
        volume: float = 1.0,
        chimes: Mapping[str, bytes] | None = None,
        lasting: bool = True,
        when_open: Callable[[frozenset[Fault]], None] = lambda faults: None,
        when_reopened: Callable[[], None] = lambda: None,
        when_note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Name the devices.

        Args:
            open_microphone: Opens it and is handed where its sound goes, 20 ms at a time at
                16 kHz; None for a transport that only plays.
            open_speaker: Opens the speaker.
            speaker_rate_hz: The rate that the speaker plays at.
            volume: Of all that is played, 0.0 to 1.0.
            chimes: What is played by which name; others are none.
            lasting: Whether to wait for a device that fails; else it is the pipeline's end.
            when_open: Called once, when each device works or its fault is known, with the faults.
            when_reopened: Called when a device was opened again: another delay, another echo.
            when_note: Called with one sentence for each fault, and one for its end.
        """
        super().__init__()
        params = TransportParams(
            audio_in_enabled=open_microphone is not None,
            audio_in_sample_rate=RATE_HZ,
            audio_out_enabled=True,
            audio_out_sample_rate=speaker_rate_hz,
            audio_out_end_silence_secs=0,
            audio_out_10ms_chunks=2,
        )
        self._when_open = when_open
        self._unknown = {Fault.SPEAKER} | ({Fault.MICROPHONE} if open_microphone else set())
        self._faulty: set[Fault] = set()
        told = Told(lasting, self._known, when_reopened, when_note)
        self._input = DeviceInput(params, open_microphone, told)
        self._output = DeviceOutput(params, open_speaker, volume, chimes or {}, told)

    def _known(self, fault: Fault, works: bool) -> None:
        is_last = self._unknown == {fault}
        self._unknown.discard(fault)
        if works:
            self._faulty.discard(fault)
        else:
            self._faulty.add(fault)
        if is_last:
            self._when_open(frozenset(self._faulty))

    def input(self) -> FrameProcessor:
        """Return the microphone's stage."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the speaker's stage."""
        return self._output

    def silence(self) -> None:
        """Fall silent now, from any thread: the rest of this answer is not played."""
        self._output.silence()

    def play_caller(self, audio: bytes) -> None:
        """Play a caller's sound, 16-bit mono PCM at the speaker's rate, over whatever sounds."""
        self._output.play_caller(audio)
