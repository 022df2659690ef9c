"""The robot's script and the engine that walks it."""
