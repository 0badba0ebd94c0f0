"""The blueprint: everything that answers a request."""
