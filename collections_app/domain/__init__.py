"""Pure rules and vocabulary: stdlib only, no clock, no database."""
