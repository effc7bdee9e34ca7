"""What every other package may use: errors, files, units, tensors, progress."""
