"""What an operator is told, and sees, of the whole site."""
