"""Thin, typed skins over the native engines: no Pipecat here, and one thread for each engine."""

import contextlib
import ctypes
import os

_M_ARENA_MAX = -8

# llama.cpp's threads wait for each other thousands of times a second, and OpenMP reads this once,
# when it is loaded. Spinning while they wait, they starve as soon as any other engine is at work:
# on two cores with one of them busy, 1 token a second instead of 35. Not spinning at all costs a
# third of the speed when nothing else is at work.
os.environ.setdefault("GOMP_SPINCOUNT", "300")

# Moonshine's library would have as many threads as there are processors, and those that wait spin:
# they gain it nothing, and take the processors from everything else. It asks whenever it loads.
os.environ.setdefault("MOONSHINE_ORT_SINGLE_THREAD", "1")

# glibc gives every thread a heap of its own and keeps what was freed in each: 170 MB more after a
# dozen turns than with two heaps. Only threads that do not exist yet are bound by it.
with contextlib.suppress(AttributeError):
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
