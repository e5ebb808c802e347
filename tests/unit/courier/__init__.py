"""The courier's pure parts."""
