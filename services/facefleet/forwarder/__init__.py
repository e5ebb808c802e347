"""Carries each face message from the edge broker to the cloud broker."""
