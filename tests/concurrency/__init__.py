"""Several real connections, threads and processes at once."""
