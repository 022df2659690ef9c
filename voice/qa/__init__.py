"""Checks of a transcript against a checklist."""
