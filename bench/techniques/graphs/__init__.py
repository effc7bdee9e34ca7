"""What torch's quantizers need beside them: repairs of FX, export by PT2E, and transposed convolutions."""
