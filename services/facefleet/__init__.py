"""Facefleet: every face that a camera sees reaches S3 exactly once."""
