"""What keeps a device at its newest order."""
