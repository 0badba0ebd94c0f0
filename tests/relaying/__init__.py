"""Messages that go to the durable queues of a broker."""
