"""A user's model, built, checked, and tried on its inputs before anything is measured."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.core.errors import UserModelError
from bench.core.inputs import Inputs
from bench.core.tensors import digest, tensors_in
from bench.core.tracebacks import describe_exception
from bench.measuring.macs import count_macs
from bench.worker.user.callables import Part, called, quiet
from bench.worker.user.model import UserModel

PRODUCTS = ("mm", "linear", "conv", "lstm", "gru", "rnn", "attention", "transformer", "bilinear", "einsum")
"""In the names of torch's operators that multiply matrices."""


def seed_everything(seed: int) -> None:
    """Let what is random in the user's code be the same in each process."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 — the user's code may use the global one


def build(part: Part, seed: int) -> nn.Module:
    """Return the module on the CPU and in eval mode; raises ``UserModelError`` if there is none.

    Its file is imported first, before the seed and before any other file: what an import draws at random, and which
    of two modules of one name it finds, is then the same in each process.
    """
    module = part.load()
    seed_everything(seed)
    if not isinstance(module, nn.Module):
        module = called(part.words, module)
        if not isinstance(module, nn.Module):
            kind = "nothing" if module is None else f"a {type(module).__name__}"
            raise UserModelError(f"{part.words} returned {kind}, not a torch.nn.Module; return the trained model.")
    require_float32(module, part.words)
    return module.cpu().eval()


def require_float32(module: nn.Module, words: str) -> None:
    """Raise ``UserModelError`` for a module whose weights are of another floating-point type."""
    others = {str(value.dtype) for value in module.parameters() if value.is_floating_point()} - {"torch.float32"}
    if others:
        name = min(others).removeprefix("torch.")
        raise UserModelError(
            f"{words} gives a model of {name} weights, and techniques start from float32 ones; call .float()."
        )


def digest_weights(module: nn.Module) -> str:
    """Return the digest of its parameters and buffers."""
    return digest(tensors_in(dict(module.state_dict())))


def try_on(module: nn.Module, batches: Iterable[Inputs], definition: UserModel, inputs: Part) -> None:
    """Call the module on each batch; raises ``UserModelError`` where it rejects one or returns no tensor."""
    for batch in batches:
        try:
            with quiet(), torch.inference_mode():
                outputs = batch.call(module)
        except (Exception, SystemExit) as error:
            shapes = ", ".join(str(list(value.shape)) for value in batch.tensors)
            raise UserModelError(
                f"the model of {definition.model.words} rejects what {inputs.words} gives, of shape {shapes} "
                f"({describe_exception(error)}); fix one of them."
            ) from error
        if next(tensors_in(outputs), None) is None:
            kind = type(outputs).__name__
            raise UserModelError(
                f"the model of {definition.model.words} returned a {kind} without a tensor; return tensors."
            )


def macs_of(module: nn.Module, example: Inputs) -> int | None:
    """Return its multiply-accumulates for one example; ``None`` where some are made by operators that hide them."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it is one operator for a whole encoder layer
    try:
        # Attention in parts whose products are counted.
        with sdpa_kernel(SDPBackend.MATH), _Operators() as used:  # type: ignore[no-untyped-call]
            macs = count_macs(module, example)
    except Exception:  # a batch of one may be what it cannot take, and a figure that is unknown stops nothing
        return None
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return None if used.uncounted else macs


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells whether an operator was called that multiplies matrices and is not counted."""

    uncounted = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        if packet not in flop_registry and any(word in packet.__name__ for word in PRODUCTS):
            self.uncounted = True
        return func(*args, **(kwargs or {}))
