"""Renders run files. Nothing here imports torch or measures anything."""
