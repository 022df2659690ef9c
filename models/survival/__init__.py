"""Survival: when it happens, not only whether; with competing events (domain brief §3.8)."""
