"""Shows the faces to those who may see them, as they come."""
