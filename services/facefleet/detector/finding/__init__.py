"""Finds the faces of one picture."""
