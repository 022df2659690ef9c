"""Carriers that place robot calls."""
