"""bench sensitivity: what each layer costs when it alone is quantized, and which mixture of techniques is smallest."""
