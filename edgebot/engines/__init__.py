"""Thin, typed skins over the native engines: no Pipecat here, and one thread for each engine."""

import os

# llama.cpp's threads wait for each other thousands of times a second, and OpenMP reads this once,
# when it is loaded. Spinning while they wait, they starve as soon as any other engine is at work:
# on two cores with one of them busy, 0.9 tokens a second instead of 46.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
