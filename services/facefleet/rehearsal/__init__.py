"""Tries a camera's settings before they are deployed: what would be found, followed and sent, and why."""
