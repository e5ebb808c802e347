"""What is held until the other side has it."""
