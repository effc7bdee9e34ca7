"""A suite becomes rows becomes a run file."""
