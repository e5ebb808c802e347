"""Requests to S3, without one."""
