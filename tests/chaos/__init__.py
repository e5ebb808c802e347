"""Faults of every kind against the real parts, and a ledger of what came through."""
