"""TensorFloat-32: CUDA's way to multiply float32 numbers with 10 bits of mantissa, which would not be fp32."""

from __future__ import annotations

import warnings
from typing import Any

import torch

_BACKENDS: Any = torch.backends  # whose annotations lack the newer interface


def turn_off() -> None:
    """Let matrix products, convolutions and recurrent layers on CUDA compute in float32 itself.

    Both of torch's interfaces are set. The older one alone would leave a general ``fp32_precision`` in force, and the
    newer one alone makes torch raise in a user's code that reads the older one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some versions of torch warn that it is the older one
        _BACKENDS.cuda.matmul.allow_tf32 = False
        _BACKENDS.cudnn.allow_tf32 = False
    for operation in (_BACKENDS.cuda.matmul, _BACKENDS.cudnn.conv, _BACKENDS.cudnn.rnn):
        operation.fp32_precision = "ieee"
