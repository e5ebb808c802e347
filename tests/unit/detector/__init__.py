"""The detector's parts, on real pictures."""
