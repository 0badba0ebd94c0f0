"""Messages on their way to the durable queues of a broker, one queue for each recipient."""
