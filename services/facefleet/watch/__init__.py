"""Hears what every device says of itself, and shows it: as metrics, and as one roster for the stack."""
