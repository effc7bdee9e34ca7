"""All that runs in a worker process."""
