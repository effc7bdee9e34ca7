"""pytest-benchmark: a fixture for models of the user's own, and its files read as runs."""
