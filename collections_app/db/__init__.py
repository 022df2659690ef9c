"""Tables, sessions and the unit of work."""
