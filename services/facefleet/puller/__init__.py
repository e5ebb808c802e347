"""Keeps a device at the state that its newest signed order describes, without anybody reaching it."""
