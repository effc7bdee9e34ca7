"""Graphs for OpenVINO: converted from ONNX, int8 by NNCF, without telemetry."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, Final

from bench.core.errors import UnsupportedError
from bench.runtimes.base import Source
from bench.runtimes.graphs.layer_products import layer_products
from bench.runtimes.graphs.layer_subset import whole
from bench.runtimes.graphs.onnx_export import exported

CALIBRATION_BATCH: Final = 32
PRODUCTS: Final = ("Convolution", "ConvolutionBackpropData", "MatMul")
"""How the types of products end; with ``Group`` before them they are of groups."""
WITHOUT_BIAS: Final = "/WithoutBiases"
"""How the name ends of a product whose bias became an operation of its own."""


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which sends what it is used for to Intel unless a file at home forbids it.

    OpenVINO and NNCF do without the package where it cannot be imported.
    """
    if sys.modules.setdefault("openvino_telemetry", None) is not None:  # type: ignore[arg-type]
        raise UnsupportedError("the model's code has imported openvino_telemetry, which would send data; leave it out")
    import openvino

    return openvino


def save_graph(source: Source, path: Path, *, saturating: bool) -> None:
    """Write the technique's ``.xml``, and its ``.bin`` beside it; ``saturating`` says whether int8 sums do here."""
    technique = whole(source.technique).name
    ov = import_openvino()
    # Not Core.read_model: it leaves BatchNorms unfused, and NNCF would put quantizers between them and convolutions.
    model = ov.convert_model(exported(source))
    if technique == "static-qint8":
        model = _quantized(source, model, saturating)
    # By default weights would be stored as float16, those of fp32 too.
    ov.save_model(model, path, compress_to_fp16=technique == "fp16")


def _quantized(source: Source, model: Any, saturating: bool) -> Any:
    import nncf
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    nncf.set_log_level(logging.ERROR)
    items = [[value.numpy() for value in batch.tensors] for batch in source.calibration_batches(CALIBRATION_BATCH)]
    return nncf.quantize(
        model,
        nncf.Dataset(items),
        subset_size=len(items),
        ignored_scope=nncf.IgnoredScope(names=_left_alone(source, model), validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.ENABLE if saturating else nncf.OverflowFix.DISABLE,
            # The default is the mean of the samples' ranges, which cuts off what is beyond.
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
        ),
    )


def _left_alone(source: Source, model: Any) -> list[str]:
    """Return the names of all operations but the products of the layers that the technique is confined to."""
    products = layer_products(source)
    if products is None:
        return []
    chosen = {
        operation.get_friendly_name()
        for operation in model.get_ops()
        if operation.get_type_name().endswith(PRODUCTS) and products.holds(*_names(operation))
    }
    products.require_all(chosen)
    return [name for operation in model.get_ops() if (name := operation.get_friendly_name()) not in chosen]


def _names(product: Any) -> tuple[str, str]:
    """Return the names that a product and its weight had in the exported graph."""
    weight = product.input_value(1).get_node().get_friendly_name()
    return product.get_friendly_name().removesuffix(WITHOUT_BIAS), weight
