"""The technique that all others are held against."""

BASELINE = "fp32"
