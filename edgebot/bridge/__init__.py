"""The way in from a network: a server without models, between a browser and the engine's socket."""
