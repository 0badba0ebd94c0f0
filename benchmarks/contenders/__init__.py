"""The contenders: one small WSGI application each, all told where their data is by DATABASE_URL."""
