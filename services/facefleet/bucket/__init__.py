"""Makes the bucket of an S3 server of our own ready: there, and encrypted."""
