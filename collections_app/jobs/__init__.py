"""When things run, never how."""
