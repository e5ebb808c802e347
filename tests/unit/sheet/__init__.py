"""The sheet's parts, on real pictures."""
