"""Runs held against each other: of any machines, and row by row of one; rules for CI."""
