"""What the lab's column Q stands for."""

from __future__ import annotations

SCHEMES = {
    "--": "not quantized: weights and activations of the dtype named",
    "D": "dynamic: weights quantized beforehand, activations as they come; Linear layers only",
    "S": "static: weights and activations quantized with ranges observed on training data (FX graph mode)",
    "WO": "weight-only: weights of Linear layers quantized in blocks; activations are float32 between layers",
    "QAT": "quantization-aware: trained with the quantized weights and activations that dtype names (w and a bits)",
    "PTQ": "post-training: weights and activations rounded to the bits that dtype names, after a plain training",
    "MIX": "mixed: a technique for each layer, as its name says; layers that are not named stay float32",
    "AMP": "automatic mixed precision: float32 weights, trained and run under autocast to the dtype named",
}
"""By the scheme that a row carries."""
