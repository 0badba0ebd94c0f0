"""What goes on beside the requests: the scheduler, its jobs, expiry, and the doctor."""
