"""What is measured of a variant: one file per measurement."""
