"""Static int8 in FX graph mode: ``prepare_fx``, calibration on training data, ``convert_fx``.

Convolutions and Linears take int8 weights (per output channel where the engine's default has it) and
8-bit activations with ranges observed beforehand; a BatchNorm after a convolution is folded into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.core.errors import UnsupportedError
from bench.core.tracebacks import describe_exception
from bench.results.isa import AVX512_VNNI
from bench.results.quantized_engine import X86
from bench.techniques import weight_norm
from bench.techniques.base import Artifact, Context, Technique, quantized_engine_obstacle, technique
from bench.techniques.torch_quantization import conversion, range_notes

if TYPE_CHECKING:
    from torch import fx, nn
    from torch.ao.quantization import QConfigMapping

    from bench.core.inputs import Inputs

CALIBRATION_BATCH = 128
ENOUGH = 128
"""Examples from which ranges are known. Of fewer, values beyond the range are likely, and 7 bits leave it twice the
room before they are clipped: what is quantized takes all 8."""


@technique
class StaticQint8(Technique):
    """FX static quantization with the engine's default configuration."""

    name = "static-qint8"
    dtype_name = "qint8"
    scheme = "S"
    summary = "int8 weights and activations, ranges calibrated on training data (FX)"

    supports_layer_subset = True

    def quantizable_layers(self, model: nn.Module) -> list[str]:
        """Return the Linear and convolution layers, transposed ones too."""
        from torch import nn

        convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
        kinds = (nn.Linear, *convolutions)
        return [name for name, module in model.named_modules() if type(module) in kinds]

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Require a CPU and the engine."""
        return quantized_engine_obstacle(device, engine, engines)

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Trace, observe, convert; by PT2E where FX cannot."""
        batches = list(context.calibration_batches(CALIBRATION_BATCH))
        try:
            return self._by_fx(model, batches, context)
        except UnsupportedError as error:
            from bench.techniques.graphs import pt2e

            return pt2e.convert(model, batches, context, str(error))

    def _by_fx(self, model: nn.Module, batches: Sequence[Inputs], context: Context) -> Artifact:
        import torch
        from torch.ao.quantization.quantize_fx import convert_fx

        from bench.techniques.graphs import fx_repairs, transposed_kernels, transposed_norms

        folded_norms = weight_norm.fold(model)
        batch_norms = _count(model, "BatchNorm")
        transposed_norms.fold(model)
        classes = {name: type(part) for name, part in model.named_modules()}
        with conversion(context):
            configuration = _configuration(model, batches, context)
            mapping = _of_layers(configuration, model, context)
            wrong = transposed_kernels.wrong_kernels(model, mapping)
            for name in wrong:
                mapping.set_module_name(name, None)
            prepared = _prepared(model, mapping, batches[0])
            with torch.inference_mode():
                foreign = _observed(prepared, batches)
            try:
                module = convert_fx(prepared)
            except Exception as error:  # of any kind: FX has cases that nobody thought of
                raise UnsupportedError(_unconverted(error, fx_repairs.computed_weights(prepared, classes))) from error
            default: Any = configuration.global_qconfig
            reduce_range = default.activation().reduce_range
        fx_repairs.keep_state(module)
        folded = batch_norms - _count(module, "BatchNorm", "BNReLU")
        notes = (
            *range_notes(context, reduce_range),
            "torch's FX keeps the float weights alive in the process, so it takes more memory than its weights",
            *folded_norms,
        )
        if folded:
            notes += (f"{folded} BatchNorms are folded into the convolutions before them, so it has fewer parameters",)
        if wrong:
            notes += (f"left in float32, for torch's int8 kernel computes them wrongly: {', '.join(wrong)}",)
        if foreign:
            notes += (f"{foreign} values that are integers or complex have no range, and what uses them stays float",)
        return Artifact(module, module, notes=notes)


def _configuration(model: nn.Module, batches: Sequence[Inputs], context: Context) -> QConfigMapping:
    """Return the engine's default configuration, with all 8 bits of activations where that is safe.

    It is where no sum of x86 can saturate and ranges are known.
    """
    from torch.ao.quantization import HistogramObserver, QConfig, get_default_qconfig_mapping

    mapping = get_default_qconfig_mapping(context.engine)
    if not _sums_exactly(model, context) or sum(batch.batch_size for batch in batches) < ENOUGH:
        return mapping
    default: Any = mapping.global_qconfig
    reduced, full = default.activation, HistogramObserver.with_args(reduce_range=False)

    def widened(config: Any) -> Any:
        same = config is not None and config.activation is reduced
        return QConfig(activation=full, weight=config.weight) if same else config

    mapping.set_global(widened(default))
    for kind, config in list(mapping.object_type_qconfigs.items()):
        mapping.set_object_type(kind, widened(config))
    return mapping


def _sums_exactly(model: nn.Module, context: Context) -> bool:
    """Return whether the engine is x86, and sums products of full 8 bits in 32 bits here.

    oneDNN and FBGEMM do with AVX512-VNNI, but for FBGEMM's kernel of depthwise convolutions, which sums pairs in 16
    bits on any CPU, and which x86 takes for more than 100 groups.
    """
    groups = (getattr(layer, "groups", 1) for layer in model.modules())
    grouped = any(isinstance(number, int) and number > 1 for number in groups)
    return context.engine == X86 and AVX512_VNNI in context.isa and not grouped


def _of_layers(configuration: QConfigMapping, model: nn.Module, context: Context) -> QConfigMapping:
    """Return which layers are quantized, and how."""
    from torch.ao.quantization import QConfigMapping

    if context.layers is None:
        return configuration
    default, by_class = configuration.global_qconfig, configuration.object_type_qconfigs
    mapping = QConfigMapping()  # what lies between layers stays float32 too
    for name in sorted(context.layers):  # transposed convolutions have a configuration of their own
        mapping.set_module_name(name, by_class.get(type(model.get_submodule(name)), default))
    return mapping


def _prepared(model: nn.Module, mapping: QConfigMapping, example: Inputs) -> fx.GraphModule:
    """Return the traced model with observers; raises ``UnsupportedError`` where FX cannot trace it."""
    from torch.ao.quantization.quantize_fx import prepare_fx

    try:
        return prepare_fx(model.eval(), mapping, example.tensors)
    except Exception as error:  # of any kind: the model's code meets values that stand for tensors
        raise UnsupportedError(f"FX cannot trace this model: {describe_exception(error)}") from error


def _observed(prepared: fx.GraphModule, batches: Sequence[Inputs]) -> int:
    """Show the batches to the observers; raises ``UnsupportedError`` where the trace is not the model's."""
    try:
        return _observe(prepared, batches)
    except Exception as error:  # of any kind: optional inputs, for one, count as given while FX traces
        raise UnsupportedError(f"FX traces another model than this: {describe_exception(error)}") from error


def _observe(prepared: fx.GraphModule, batches: Sequence[Inputs]) -> int:
    """Show the batches to the observers; return how many of them were removed, since they cannot observe."""
    from bench.techniques.graphs import fx_repairs

    try:
        for batch in batches:
            batch.call(prepared)
    except NotImplementedError:  # torch's, of a range of integers or complex numbers
        removed = fx_repairs.without_foreign_observers(prepared, batches[0])
        if not removed:
            raise
        for batch in batches:
            batch.call(prepared)
        return removed
    return 0


def _unconverted(error: Exception, computed: Sequence[str]) -> str:
    if computed:
        return (
            f"FX cannot quantize a product whose weight is computed at each call, as in {', '.join(computed)}; "
            f"multiply by the parameter itself"
        )
    return f"FX cannot convert this model: {describe_exception(error)}"


def _count(model: nn.Module, *kinds: str) -> int:
    """Count modules by parts of their class's name; quantized ones share no base class with their float forms."""
    return sum(any(kind in type(module).__name__ for kind in kinds) for module in model.modules())
