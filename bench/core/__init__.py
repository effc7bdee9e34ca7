"""What every other room may use: errors, files, units, tensors, progress."""
