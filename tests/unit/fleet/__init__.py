"""The fleet view's pure parts."""
