"""How long a 3×3 convolution of ±1 by ±1 takes with XNOR and popcount, beside float32: OpenVINO's BinaryConvolution.

    python -m tests.benchmarks.binary_convolution [--out reports/binary-convolution] | --table

The operation is in OpenVINO's first operator set, and its CPU plug-in has kernels for SSE4, AVX2 and AVX-512, which are
named in the table as the plug-in reports them. One layer at a time, one thread: inputs are cut to their sign, packed to
bits and convolved, and all three count; beside it the same weights as a float32 convolution of float inputs. Before
anything is timed both are compared on the same signs, away from the padded border.
It is no row of the results table: a network of it needs BatchNorm and shortcuts in float between such layers.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset1, opset8

from bench.core.files import write_atomically
from bench.report.tables import table
from tests.benchmarks.provenance import provenance

SHAPES = ((16, 32, 1), (32, 16, 1), (64, 8, 1), (16, 32, 64), (32, 16, 64), (64, 8, 64), (256, 14, 1))
"""Channels, side and batch: ResNet-20's three stages, and the layer of XNOR-Net's example."""
TIMES = 300
SESSION = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERF_COUNT": True}
REPORT = Path("reports/binary-convolution")


def main() -> None:
    """Compare, time and write, or write the page alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--table", action="store_true", help="write README.md and measure nothing")
    options = parser.parse_args()
    path = options.out / "binary_convolution.json"
    if not options.table:
        layers = [measure(*shape) for shape in SHAPES]
        content = {**provenance(), "openvino": ov.get_version(), "layers": layers}
        write_atomically(path, json.dumps(content, indent=1) + "\n")
    text = render(json.loads(path.read_text(encoding="utf-8")))
    print(text)
    write_atomically(options.out / "README.md", text + "\n")


def measure(channels: int, side: int, batch: int) -> dict[str, Any]:
    """Return the fastest call of both forms of one layer, in seconds, and their kernels."""
    random = np.random.default_rng(0)
    signs = np.where(random.standard_normal((channels, channels, 3, 3)) >= 0, 1.0, -1.0).astype(np.float32)
    inputs = random.standard_normal((batch, channels, side, side)).astype(np.float32)
    forms = {"float32": _float(signs, inputs.shape), "xnor": _binary(signs, inputs.shape)}
    exact = forms["float32"].infer([np.where(inputs > 0, 1.0, -1.0).astype(np.float32)])[0].copy()
    binary = forms["xnor"].infer([inputs])[0].copy()
    inner = (..., slice(1, -1), slice(1, -1))
    if not np.array_equal(exact[inner], binary[inner]):
        raise SystemExit(f"the binary convolution of {channels} channels is not the convolution of signs")
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(TIMES):
        for name, request in forms.items():
            start = time.perf_counter()
            request.infer()
            seconds[name].append(time.perf_counter() - start)
    return {
        "channels": channels,
        "side": side,
        "batch": batch,
        "seconds": {name: min(taken) for name, taken in seconds.items()},
        "kernels": {name: _kernel(request) for name, request in forms.items()},
    }


def _float(signs: Any, shape: tuple[int, ...]) -> Any:
    inputs = opset8.parameter(list(shape), np.float32)
    outputs = opset8.convolution(inputs, opset8.constant(signs), [1, 1], [1, 1], [1, 1], [1, 1])
    return _request(inputs, outputs)


def _binary(signs: Any, shape: tuple[int, ...]) -> Any:
    """Return the layer of signs: what is above 0 is 1, else 0, which stands for −1."""
    inputs = opset8.parameter(list(shape), np.float32)
    zero, one = (opset8.constant(np.full((1, 1, 1, 1), value, np.float32)) for value in (0, 1))
    bits = opset8.fake_quantize(inputs, zero, zero, zero, one, 2)
    packed = np.packbits((signs > 0).astype(np.uint8).reshape(-1), bitorder="little")
    weights = ov.op.Constant(ov.Tensor(packed, ov.Shape(signs.shape), ov.Type.u1))
    outputs = opset1.binary_convolution(bits, weights, [1, 1], [1, 1], [1, 1], [1, 1], "xnor-popcount", 0.0)
    return _request(inputs, outputs)


def _request(inputs: Any, outputs: Any) -> Any:
    return ov.Core().compile_model(ov.Model([outputs], [inputs]), "CPU", SESSION).create_infer_request()


def _kernel(request: Any) -> str:
    """Return the name that the plug-in gives the convolution's kernel."""
    return next(str(node.exec_type) for node in request.get_profiling_info() if "Convolution" in node.node_type)


def render(content: dict[str, Any]) -> str:
    """Return the page."""
    rows = [
        [
            f"{layer['channels']} × {layer['side']} × {layer['side']}",
            layer["batch"],
            f"{1e6 * layer['seconds']['float32']:.0f}",
            f"{1e6 * layer['seconds']['xnor']:.0f}",
            f"{layer['seconds']['float32'] / layer['seconds']['xnor']:.1f}×",
            f"`{layer['kernels']['float32']}`",
            f"`{layer['kernels']['xnor']}`",
        ]
        for layer in content["layers"]
    ]
    header = ["Layer", "Batch", "float32 (µs)", "XNOR (µs)", "Faster", "Kernel of float32", "Kernel of XNOR"]
    return f"""# A convolution of ±1 by ±1 with XNOR and popcount

{table(rows, header)}

3×3 convolutions with as many output as input channels, by OpenVINO {content["openvino"].partition("-")[0]} on
{content["machine"]["cpu"]}: one thread, the fastest of {TIMES} calls in turns, since other work shared the machine.
XNOR's time holds the sign of the inputs, their packing to bits and the convolution. Its results are equal to those of
the float32 convolution of the same signs. Layers of 16 channels fill half of the 32 bits that the kernel takes at once.
Made by `python -m tests.benchmarks.binary_convolution`.\
"""


if __name__ == "__main__":
    main()
