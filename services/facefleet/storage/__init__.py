"""The S3 bucket: where it is and how to reach it. Shared by all that put, prepare or read."""
