"""One file a runtime: what executes a variant."""
