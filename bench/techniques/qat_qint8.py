"""Quantization-aware training for static int8 in FX graph mode: ``prepare_qat_fx``, a training, ``convert_fx``.

Fake quantizers round weights and activations in training (Jacob et al. 2018, section 3), and their ranges move with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.techniques.base import Artifact, Context, Technique, quantized_engine_obstacle, technique
from bench.techniques.torch_quantization import conversion, quiet, range_notes

if TYPE_CHECKING:
    from torch import fx, nn

CALIBRATION_BATCH = 128


@technique
class QatQint8(Technique):
    """FX quantization-aware training with the engine's default configuration."""

    name = "qat-qint8"
    dtype_name = "qint8"
    scheme = "QAT"
    summary = "int8 weights and activations, trained with fake quantizers (FX)"

    @property
    def trained_as(self) -> str:
        """It takes part in the training."""
        return self.name

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Require a CPU and the engine."""
        return quantized_engine_obstacle(device, engine, engines)

    def prepare(self, network: nn.Module) -> nn.Module:
        """Return the traced network with fake quantizers; raises ``UnsupportedError`` where FX cannot trace it."""
        import torch
        from torch.ao.quantization import get_default_qat_qconfig_mapping
        from torch.ao.quantization.quantize_fx import prepare_qat_fx

        mapping = get_default_qat_qconfig_mapping(torch.backends.quantized.engine)
        try:
            with quiet():
                return prepare_qat_fx(network.train(), mapping, ())
        except Exception as error:  # of any kind: the model's code meets values that stand for tensors
            raise UnsupportedError(f"FX cannot trace this model: {describe_exception(error)}") from error

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Replace what was trained by int8 modules."""
        import torch
        from torch.ao.quantization import enable_observer, get_default_qconfig
        from torch.ao.quantization.quantize_fx import convert_fx

        model.eval()
        with conversion(context):
            if _unobserved(model):  # a network that was not trained, of which a packed file needs the structure
                model.apply(enable_observer)
                with torch.inference_mode():
                    for batch in context.calibration_batches(CALIBRATION_BATCH):
                        batch.call(model)
            module = convert_fx(cast("fx.GraphModule", model))
            reduce_range = get_default_qconfig(context.engine).activation().reduce_range
        return Artifact(module, module, notes=range_notes(context, reduce_range))


def _unobserved(model: nn.Module) -> bool:
    """Return whether a fake quantizer has seen nothing yet."""
    from torch.ao.quantization import FakeQuantizeBase

    quantizers: list[Any] = [part for part in model.modules() if isinstance(part, FakeQuantizeBase)]
    least = [quantizer.activation_post_process.min_val for quantizer in quantizers]
    return any(not value.numel() or bool(value.isinf().any()) for value in least)
