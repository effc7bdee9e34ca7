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
from bench.worker.user.usable import require_usable, uncompiled

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
    return build_uncompiled(part, seed)[0]


def build_uncompiled(part: Part, seed: int) -> tuple[nn.Module, bool]:
    """Return the same, and whether the user had compiled it."""
    module = part.load()
    seed_everything(seed)
    if not isinstance(module, nn.Module):
        module = called(part.words, module)
        if not isinstance(module, nn.Module):
            kind = "nothing" if module is None else f"a {type(module).__name__}"
            raise UserModelError(f"{part.words} returned {kind}, not a torch.nn.Module; return the trained model.")
    module, compiled = uncompiled(module)
    require_usable(module, part.words)
    return module.cpu().eval(), compiled


def digest_weights(module: nn.Module) -> str:
    """Return the digest of its parameters and buffers."""
    return digest(tensors_in(dict(module.state_dict())))


def try_on(module: nn.Module, batches: Iterable[Inputs], definition: UserModel, inputs: Part) -> list[Any]:
    """Return what the module gives for each batch; raises ``UserModelError`` where that fails or is no tensor."""
    returned = []
    for batch in batches:
        try:
            with quiet(), torch.inference_mode():
                outputs = batch.call(module)
        except (Exception, SystemExit) as error:
            shapes = ", ".join(str(list(value.shape)) for value in batch.tensors)
            raise UserModelError(
                f"the model of {definition.model.words} rejects what {inputs.words} gives, of shape {shapes} "
                f"({describe_exception(error)}); {_way_out(error)}."
            ) from error
        returned.append(outputs)
        if next(tensors_in(outputs), None) is None:
            kind = type(outputs).__name__
            raise UserModelError(
                f"the model of {definition.model.words} returned a {kind} without a tensor; return tensors."
            )
    return returned


def _way_out(error: BaseException) -> str:
    """Return what to do about what a model raised."""
    message = str(error).lower()
    if "does not require grad" in message or "inference tensor" in message or "inferencemode" in message:
        return (
            "its forward needs autograd, and is called in inference mode: put that part of it into "
            "'with torch.inference_mode(False), torch.enable_grad():', and clone there what it starts from"
        )
    if isinstance(error, RuntimeError) and ("shape" in message or "size" in message):
        return "fix one of them, or name the batch sizes that the model takes with --batch"
    return "fix one of them"


def answers_at_random(module: nn.Module, batch: Inputs) -> bool:
    """Return whether the module draws at random when it is called: two seeds give two answers."""
    digests = set()
    for seed in range(2):
        seed_everything(seed)
        with quiet(), torch.inference_mode():
            digests.add(digest(tensors_in(batch.call(module))))
    return len(digests) > 1


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
