"""Web Push, from the message to what a browser decrypts."""
