"""Forgets: deletes what a bucket holds of a device, a camera or a span of time, all versions of it."""
