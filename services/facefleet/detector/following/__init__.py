"""Follows each face from frame to frame and chooses what of it is worth sending."""
