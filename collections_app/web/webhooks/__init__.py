"""Where carriers call us back: signed posts, stored and acknowledged, nothing more."""
