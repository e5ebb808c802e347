"""Writes each face to S3, and only then says so."""
