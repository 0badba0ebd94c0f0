"""The forms in which a request shows rows, records and buttons (row F7)."""
