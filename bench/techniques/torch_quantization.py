"""What the techniques that use ``torch.ao.quantization`` share: its warnings, its engine, its errors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.core.class_names import class_title
from bench.core.errors import UnsupportedError
from bench.results.isa import VNNI
from bench.results.quantized_engine import X86
from bench.techniques import fast_path
from bench.techniques.base import Context

if TYPE_CHECKING:
    from torch import nn

EXPECTED_WARNINGS = (
    r"torch\.ao\.quantization is deprecated",
    r"torch\.quantize_per_tensor, torch\.quantize_per_channel and other quantized tensor creation functions",
    r"Please use quant_min and quant_max to specify the range for observers",
    r"Default qconfig of oneDNN backend with reduce_range of false may have accuracy issues",
)
"""The last comes on x86 CPUs without AVX512-VNNI alone; ``range_notes`` says it in the row, where it is read."""


DYNAMIC = {
    "qint8": ("Linear", "LSTM", "GRU", "LSTMCell", "GRUCell", "RNNCell"),
    "float16": ("Linear", "LSTM", "GRU"),
}
"""The classes of ``torch.nn`` that ``quantize_dynamic`` converts by default."""


@contextmanager
def conversion(context: Context) -> Iterator[None]:
    """Set the engine and silence torch's notices of deprecation; the engine stays set.

    A variant runs under the engine it was packed for, and lives in a process of its own.
    """
    import torch

    torch.backends.quantized.engine = context.engine
    with quiet():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Silence exactly what torch says of its own quantization: its future, its defaults, and what a row's notes say."""
    with warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def any_range() -> Iterator[None]:
    """Let FX's histogram observers take the range they saw, where all scales will be replaced by those of a file.

    They search for the best one otherwise, which takes seconds for a model of many layers that saw zeros alone.
    """
    from torch.ao.quantization import HistogramObserver

    def range_seen(observer: Any) -> Any:
        return observer.min_val, observer.max_val

    search = HistogramObserver._non_linear_param_search
    HistogramObserver._non_linear_param_search = range_seen  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        HistogramObserver._non_linear_param_search = search  # type: ignore[method-assign]


def convert_linears(model: nn.Module, dtype: str, context: Context, per_channel: bool = False) -> nn.Module:
    """Return ``model`` with dynamically quantized layers of ``dtype``, ``qint8`` or ``float16``; weights per tensor.

    ``per_channel`` gives int8 weights a scale for each output. A layer that stands in several places is converted once.
    """
    import torch
    from torch.ao import quantization

    layers = dynamic_layers(model, dtype)
    if not layers:
        raise UnsupportedError(
            f"dynamic quantization changes layers whose class is {', '.join(DYNAMIC[dtype])}, "
            f"and this model has none{_lookalikes(model)}"
        )
    config = quantization.float16_dynamic_qconfig
    if dtype == "qint8":
        config = quantization.per_channel_dynamic_qconfig if per_channel else quantization.default_dynamic_qconfig
    treated = {id(model.get_submodule(name)) for name in layers if context.layers is None or name in context.layers}
    # A layer that stands in several places is looked up by the name of each.
    named = model.named_modules(remove_duplicate=False)
    chosen = {name: config for name, module in named if id(module) in treated}
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent._modules.items()
        if child is not None
    ]
    with conversion(context):
        converted: nn.Module = quantization.quantize_dynamic(model, chosen, dtype=getattr(torch, dtype), inplace=True)
    new: dict[int, nn.Module] = {}
    for parent, name, child in places:  # torch converts it anew in each place, or in the first alone
        if (now := parent._modules[name]) is not None and now is not child:
            new.setdefault(id(child), now)
    for parent, name, child in places:
        parent._modules[name] = new.get(id(child), parent._modules[name])
    fast_path.leave(converted)
    return converted


def dynamic_layers(model: nn.Module, dtype: str) -> list[str]:
    """Return the names of the layers that dynamic quantization converts: those of torch's own classes alone."""
    from torch import nn

    kinds = {getattr(nn, name) for name in DYNAMIC[dtype]}
    return [name for name, module in model.named_modules() if type(module) in kinds]


def _lookalikes(model: nn.Module) -> str:
    """Name the classes derived from those that are converted, which torch leaves alone; or nothing."""
    from torch import nn

    kinds = tuple(getattr(nn, name) for name in DYNAMIC["qint8"])
    derived = {class_title(type(part)) for part in model.modules() if isinstance(part, kinds)}
    return f": torch leaves classes derived from them alone, here {', '.join(sorted(derived))}" if derived else ""


def range_notes(context: Context, reduce_range: bool) -> tuple[str, ...]:
    """Return what the width of the activations means for the sums of int8 products.

    Without VNNI x86 sums two products in 16 bits, which 8-bit activations overflow and 7-bit ones do not.
    """
    if reduce_range:
        return ("activations take 7 of their 8 bits (reduce_range), so that int8 sums cannot saturate on any CPU",)
    if context.engine == X86:
        saturating = "on an x86 CPU without VNNI its int8 sums may saturate"
        return (f"activations take all 8 bits, for this CPU has AVX512-VNNI; {saturating}",)
    if context.engine != "qnnpack" and not context.isa & VNNI:
        return ("this CPU has no VNNI and activations take all 8 bits: int8 sums may saturate",)
    return ()
