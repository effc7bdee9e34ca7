"""A technique, a task and a network for quantbench."""
