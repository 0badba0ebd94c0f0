"""Log records that notify: the handler, its functions and messages, and whose transaction they join."""
