"""What decoding in windows gains and costs: a voice whole, as Piper loads it, and in windows.

    python benchmarks/piper_windows.py VOICE.onnx [--rounds 5] [--threads 2]

Both speak the same sentences in turn, and every figure is the median of the ratios of neighbours,
so that whatever else the machine does at the time falls on both. `--memory both` measures loading
and memory, each in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from piper import PiperVoice
from piper.config import PiperConfig

from edgebot.engines.piper import PiperEngine
from edgebot.engines.voice_split import Part, split_voice
from edgebot.engines.voice_windows import WindowedVoice

SENTENCES = {
    "word": "Certainly.",
    "short": "The capital of France is Paris.",
    "medium": "When water is heated to one hundred degrees, it turns into steam and rises.",
    "long": "The Amazon rainforest covers much of northwestern Brazil and extends into Colombia, "
    "Peru and other South American countries, where millions of animals and plants live.",
}
Speak = Callable[[dict[str, np.ndarray]], Iterator[np.ndarray]]


def options(threads: int, folder: Path) -> onnxruntime.SessionOptions:
    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads = threads
    made.inter_op_num_threads = 1
    made.enable_cpu_mem_arena = False
    made.add_session_config_entry("session.intra_op.allow_spinning", "0")
    made.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(folder)
    )
    return made


def load_whole(path: Path, threads: int) -> Speak:
    session = onnxruntime.InferenceSession(
        str(path), options(threads, path.parent), ["CPUExecutionProvider"]
    )
    return lambda inputs: iter([session.run(None, inputs)[0].reshape(-1)])


def load_windows(path: Path, threads: int) -> Speak:
    def load(part: Part) -> Any:
        made = options(threads, path.parent)
        made.enable_mem_pattern = False
        made.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        session = onnxruntime.InferenceSession(part.model, made, ["CPUExecutionProvider"])
        return lambda inputs: session.run(list(part.outputs), dict(inputs))

    return WindowedVoice(split_voice(path.read_bytes(), path.name), load).run


def inputs_of(text: str, path: Path) -> dict[str, np.ndarray]:
    """Return a sentence without its noises: both ways then say the very same."""
    config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text(encoding="utf-8")))
    voice = PiperVoice(session=None, config=config)
    ids = np.array([voice.phonemes_to_ids(voice.phonemize(text)[0])], dtype=np.int64)
    inputs = {
        "input": ids,
        "input_lengths": np.array([ids.shape[1]], dtype=np.int64),
        "scales": np.array([0.0, config.length_scale, 0.0], dtype=np.float32),
    }
    if config.num_speakers > 1:
        inputs["sid"] = np.array([0], dtype=np.int64)
    return inputs


def timed(speak: Speak, inputs: dict[str, np.ndarray]) -> tuple[float, float, float, np.ndarray]:
    """Return the time to the first sound, to the last, processor time, and the sound."""
    began, busy = time.perf_counter(), time.process_time()
    pieces, first = [], 0.0
    for piece in speak(inputs):
        first = first or time.perf_counter() - began
        pieces.append(piece)
    took = time.perf_counter() - began
    return first, took, time.process_time() - busy, np.concatenate(pieces)


def underrun_s(speak: Speak, inputs: dict[str, np.ndarray], rate_hz: int) -> float:
    """Return how long a loudspeaker that starts with the first window would have waited."""
    began, heard_until, waited = time.perf_counter(), 0.0, 0.0
    for piece in speak(inputs):
        now = time.perf_counter() - began
        if heard_until:
            waited += max(now - heard_until, 0.0)
        heard_until = max(heard_until, now) + len(piece) / rate_hz
    return waited


def compare(path: Path, rounds: int, threads: int) -> list[dict[str, float | str]]:
    whole, windowed = load_whole(path, threads), load_windows(path, threads)
    rate_hz = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text())).sample_rate
    rows: list[dict[str, float | str]] = []
    for name, text in SENTENCES.items():
        inputs = inputs_of(text, path)
        for speak in (whole, windowed):
            timed(speak, inputs)
        pairs = [(timed(whole, inputs), timed(windowed, inputs)) for _ in range(rounds)]
        (_, _, _, one), (_, _, _, other) = pairs[0]
        rows.append(
            {
                "sentence": name,
                "sound_s": round(len(one) / rate_hz, 2),
                "whole_ms": round(1000 * statistics.median(a[1] for a, _ in pairs)),
                "first_ms": round(1000 * statistics.median(b[0] for _, b in pairs)),
                "first_ratio": round(statistics.median(b[0] / a[1] for a, b in pairs), 3),
                "cpu_ratio": round(statistics.median(b[2] / a[2] for a, b in pairs), 3),
                "difference": float(f"{np.abs(one - other).max() / np.abs(one).max():.1e}"),
                "underrun_s": round(underrun_s(windowed, inputs, rate_hz), 3),
            }
        )
    return rows


def memory_of(path: Path, way: str, threads: int) -> dict[str, float | str]:
    """Load and speak in this process; return seconds and megabytes."""
    inputs = inputs_of(SENTENCES["long"], path)
    gc.collect()
    before, began, busy = _memory(), time.perf_counter(), time.process_time()
    speak = (load_whole if way == "whole" else load_windows)(path, threads)
    load_s, load_cpu_s = time.perf_counter() - began, time.process_time() - busy
    for _ in range(3):
        timed(speak, inputs)
    after = _memory()
    return {
        "way": way,
        "load_s": round(load_s, 2),
        "load_cpu_s": round(load_cpu_s, 2),
        "own_mb": round((after["RssAnon"] - before["RssAnon"]) / 1024),
        "mapped_mb": round((after["RssFile"] - before["RssFile"]) / 1024),
        "peak_mb": round((after["VmHWM"] - before["VmRSS"]) / 1024),
    }


def _memory() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) for name in ("RssAnon", "RssFile", "VmHWM", "VmRSS")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("voice", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--memory", choices=["both", "whole", "windows"])
    chosen = parser.parse_args()
    if chosen.memory == "both":
        for way in ("whole", "windows") * chosen.rounds:
            again = [sys.executable, __file__, str(chosen.voice), "--memory", way]
            subprocess.run([*again, "--threads", str(chosen.threads)], check=True)
    elif chosen.memory:
        print(json.dumps(memory_of(chosen.voice, chosen.memory, chosen.threads)))
    else:
        if reason := PiperEngine(chosen.voice).whole_because:
            sys.exit(f"this voice cannot be decoded in windows: {reason}")
        for row in compare(chosen.voice, chosen.rounds, chosen.threads):
            print(json.dumps(row))


if __name__ == "__main__":
    main()
