"""Change watchers: what becomes of a watched object is told to those who watch it (rows E1 to E3)."""
