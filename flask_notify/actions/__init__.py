"""Actions: what users do to rows, and how it is answered and shown (rows F1–F9)."""
