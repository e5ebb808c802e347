"""Proves that an event goes from this device to S3, and that its receipt comes back."""
