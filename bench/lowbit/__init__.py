"""What the low-bit techniques are made of, in torch: layers, straight-through gradients, codes as bits."""
