"""Static int8 in FX graph mode: ``prepare_fx``, calibration on training data, ``convert_fx``.

Convolutions and Linears take int8 weights (per output channel where the engine's default has it) and
8-bit activations with ranges observed beforehand; a BatchNorm after a convolution is folded into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.techniques.base import Artifact, Context, Technique, quantized_engine_obstacle, technique
from bench.techniques.torch_quantization import conversion, range_notes

if TYPE_CHECKING:
    from torch import nn

CALIBRATION_BATCH = 128


@technique
class StaticQint8(Technique):
    """FX static quantization with the engine's default configuration."""

    name = "static-qint8"
    dtype_name = "qint8"
    scheme = "S"
    summary = "int8 weights and activations, ranges calibrated on training data (FX)"

    supports_layer_subset = True

    def quantizable_layers(self, model: nn.Module) -> list[str]:
        """Return the Linear and convolution layers."""
        from torch import nn

        kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        return [name for name, module in model.named_modules() if type(module) in kinds]

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Require a CPU and the engine."""
        return quantized_engine_obstacle(device, engine, engines)

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Trace, observe, convert."""
        import torch
        from torch.ao.quantization import QConfigMapping, get_default_qconfig, get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        batch_norms = _count(model, "BatchNorm")
        batches = list(context.calibration_batches(CALIBRATION_BATCH))
        example = batches[0].rows(slice(1)).tensors
        with conversion(context):
            mapping = get_default_qconfig_mapping(context.engine)
            if context.layers is not None:  # what lies between layers stays float32 too
                mapping = QConfigMapping()
                for name in sorted(context.layers):
                    mapping.set_module_name(name, get_default_qconfig(context.engine))
            try:
                prepared = prepare_fx(model.eval(), mapping, example)
            except Exception as error:  # of any kind: the model's code meets values that stand for tensors
                raise UnsupportedError(f"FX cannot trace this model: {describe_exception(error)}") from error
            with torch.inference_mode():
                for batch in batches:
                    batch.call(prepared)
            module = convert_fx(prepared)
            reduce_range = get_default_qconfig(context.engine).activation().reduce_range
        folded = batch_norms - _count(module, "BatchNorm", "BNReLU")
        notes = (
            *range_notes(context, reduce_range),
            "torch's FX keeps the float weights alive in the process, so it takes more memory than its weights",
        )
        if folded:
            notes += (f"{folded} BatchNorms are folded into the convolutions before them, so it has fewer parameters",)
        return Artifact(module, module, notes=notes)


def _count(model: nn.Module, *kinds: str) -> int:
    """Count modules by parts of their class's name; quantized ones share no base class with their float forms."""
    return sum(any(kind in type(module).__name__ for kind in kinds) for module in model.modules())
