"""Synthetic stand-ins in the real file formats, for machines without the data and without a network.

They let the whole of the tool run; a number measured on them is never shown as a real one.
"""
