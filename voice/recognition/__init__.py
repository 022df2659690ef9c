"""Audio to words, behind one interface."""
