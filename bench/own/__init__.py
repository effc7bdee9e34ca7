"""Models of the user's own: where they come from, their inputs, how they are judged, and their runs."""
