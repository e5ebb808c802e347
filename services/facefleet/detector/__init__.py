"""Watches one camera and publishes the faces that it sees."""
