"""Models: how networks are built, saved and loaded."""
