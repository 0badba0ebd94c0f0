"""A community to look at, and the command that serves it."""
