"""What users can do: declared actions, the requests to run them, and the responses that a page carries out (row F)."""
