"""The read side: a session in, frozen dataclasses or frames out."""
