"""Writes one line for each face that passes the edge broker."""
