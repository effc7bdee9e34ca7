"""What is measured of a variant: one file a measurement."""
