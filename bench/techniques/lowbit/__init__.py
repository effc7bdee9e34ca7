"""What low-bit techniques are made of."""
