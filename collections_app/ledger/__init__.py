"""The set-based ledger engine: frames of facts in, frames of what follows from them out. No database."""
