"""The outside world: one vendor a file, each behind a Protocol."""
