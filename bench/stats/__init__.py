"""Pure functions on numbers; they know nothing of the project."""
