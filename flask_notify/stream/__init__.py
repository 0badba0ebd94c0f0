"""The doorbell: an asynchronous process that tells an open page to poll at once. It needs no database."""
