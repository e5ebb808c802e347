"""Where devices that nobody can reach fetch what they shall run, and say how it went."""
