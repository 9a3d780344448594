"""Engines of one's own, as a setting may name them: `stt.engine = "own.ear"`; none has a model."""
