"""What a line tells."""
