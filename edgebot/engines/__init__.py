"""Thin, typed skins over the native engines: no Pipecat here, and one thread for each engine."""
