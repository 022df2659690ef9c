"""The way of facts through the ledger's engine and back: what waits, its facts, and what changed because of them."""
