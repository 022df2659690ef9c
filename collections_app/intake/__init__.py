"""Lenders' files to typed, validated frames; no database."""
