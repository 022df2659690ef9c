"""Who works what: capacity, skill, continuity."""
