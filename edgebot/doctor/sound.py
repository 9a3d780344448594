"""What the sound check means, in words."""

from __future__ import annotations

from edgebot.doctor.finding import Change, Finding
from edgebot.doctor.probe import MUTED_DB, Measured
from edgebot.engines.echo_canceller import FRAME_BYTES, RATE_HZ, EchoCanceller

NOISY_DB = -40.0
FAINT_DB = -45.0
CLIPPED = 0.001
# Echo cancelling reaches so far; 700 ms it does not reach at all.
LONG_DELAY_MS, LONGEST_DELAY_MS = 300.0, 500.0
# An echo that is so faint, or so near to the noise, does not pass for a voice.
HARMLESS_DB = -50.0
NEAR_NOISE_DB = 6.0
LEAST_VOLUME = 0.1


def cancel_echo(far: bytes, near: bytes) -> bytes:
    """Return what was heard without what was played, as a conversation would.

    Raises:
        EngineError: The canceller cannot be loaded, or fails.
    """
    canceller = EchoCanceller()
    canceller.load()
    cleaned = bytearray()
    for start in range(0, len(near) - FRAME_BYTES + 1, FRAME_BYTES):
        canceller.played(far[start : start + FRAME_BYTES], RATE_HZ)
        cleaned += canceller.clean(near[start : start + FRAME_BYTES])
    return bytes(cleaned)


def explain(measured: Measured, *, volume: float, interrupt: bool) -> list[Finding]:
    """Return what was measured, and what it means.

    Args:
        measured: From the sound check.
        volume: `audio.volume`, at which it was played.
        interrupt: `turn.interrupt`.
    """
    if measured.is_silent:
        return [
            Finding(
                "fault",
                "hearing",
                "The microphone delivers silence: it is muted or switched off.",
                "Look for a switch on it; else run alsamixer, F4, and unmute (m) its channel.",
            )
        ]
    findings = [_noise(measured.noise_db)]
    if measured.clipped > CLIPPED:
        findings.append(_clipping(measured, volume))
    if measured.delay_ms is None or measured.heard_db is None or measured.gain_db is None:
        findings.append(
            Finding(
                "warning",
                "speaker heard",
                "The microphone does not hear the speaker.",
                "With headphones that is right; otherwise turn the speaker up or switch it on.",
            )
        )
        return findings
    findings.append(_loudness(measured.heard_db, measured.gain_db))
    findings.append(_delay(measured.delay_ms))
    if measured.echo_db is not None and measured.cleaned_db is not None:
        findings.append(_echo(measured.echo_db, measured.cleaned_db, measured.noise_db, interrupt))
    return findings


def _noise(noise_db: float) -> Finding:
    if noise_db < MUTED_DB:
        return Finding("ok", "noise", "The room is silent, or the microphone makes it so.")
    text = f"The room's noise is at {noise_db:.0f} dB of full scale."
    if noise_db > NOISY_DB:
        advice = "Move the microphone away from fans, or lower its gain: alsamixer, F4."
        return Finding("warning", "noise", text, advice)
    return Finding("ok", "noise", text)


def _clipping(measured: Measured, volume: float) -> Finding:
    text = f"The microphone is overdriven by the speaker: {measured.clipped:.1%} is cut off."
    lower = round(max(LEAST_VOLUME, volume / 2), 2)
    advice = f"Lower its gain (alsamixer, F4), or set audio.volume to {lower}."
    changes = (Change("audio.volume", lower),) if lower < volume else ()
    return Finding("fault", "clipping", text, advice, changes)


def _loudness(heard_db: float, gain_db: float) -> Finding:
    difference = round(gain_db)
    side = "below" if difference < 0 else "above"
    how = f"{abs(difference)} dB {side} what is played" if difference else "as loud as it is played"
    text = f"The microphone hears the speaker {how} ({heard_db:.0f} dB)."
    if heard_db < FAINT_DB:
        advice = "A voice may be as faint: move nearer, or raise the microphone's gain."
        return Finding("warning", "speaker heard", text, advice)
    return Finding("ok", "speaker heard", text)


def _delay(delay_ms: float) -> Finding:
    text = f"A sound takes {delay_ms:.0f} ms from the speaker's side to the microphone's."
    if delay_ms > LONGEST_DELAY_MS:
        advice = "Echo cancelling reaches 500 ms: use other devices than Bluetooth ones."
        return Finding("fault", "delay", text, advice)
    if delay_ms > LONG_DELAY_MS:
        advice = "Answers and interruptions come as much later: a wired device is quicker."
        return Finding("warning", "delay", text, advice)
    return Finding("ok", "delay", text)


def _echo(echo_db: float, cleaned_db: float, noise_db: float, interrupt: bool) -> Finding:
    taken = max(0.0, echo_db - cleaned_db)
    text = (
        f"Echo cancelling takes {taken:.0f} dB of the echo: "
        f"from {echo_db:.0f} to {cleaned_db:.0f} dB of full scale."
    )
    if cleaned_db <= max(HARMLESS_DB, noise_db + NEAR_NOISE_DB):
        return Finding("ok", "echo", f"{text} You can interrupt it by voice.")
    if not interrupt:
        return Finding("ok", "echo", f"{text} It is interrupted by button or name only.")
    return Finding(
        "warning",
        "echo",
        f"{text} It may take itself for you.",
        "Turn the speaker down or move it away; or let button or name interrupt alone: "
        "turn.interrupt = false.",
        (Change("turn.interrupt", False),),
    )
