"""The example application, used as its users use it."""
