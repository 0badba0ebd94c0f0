"""Live values: named, replaced by name, told by the poll."""
