"""A user's own model, in a worker process."""
