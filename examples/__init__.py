"""Applications that show Flask-Notify at work."""
