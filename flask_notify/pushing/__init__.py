"""Web Push (row H2): who subscribed, what is on its way to their browsers, and who sends it.

What needs the extra ``flask-notify[push]`` imports it when it is configured, and not before.
"""
