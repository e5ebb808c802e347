"""Services against a real broker and a real S3 server."""
