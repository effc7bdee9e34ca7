"""Checkpoints and packed files."""
