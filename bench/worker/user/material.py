"""What a technique needs beside a user's model, and what it may say of the two together."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.errors import UnsupportedError
from bench.core.tensors import Inputs
from bench.core.tracebacks import describe_exception
from bench.measuring import params
from bench.results.run import BASELINE
from bench.runtimes.convert import Material
from bench.techniques import fast_path
from bench.techniques.base import Variant
from bench.worker.user.examples import Examples


class UserMaterial(Material):
    """Of a model that is as it is, and of which nothing is known but its examples."""

    own_training = False

    def __init__(self, technique: str, examples: Examples) -> None:
        self.examples = examples
        self._technique = technique
        self._calibrated = False

    def calibration(self) -> Sequence[Inputs]:
        """Return the user's batches, else the largest batch of example inputs."""
        self._calibrated = True
        return self.examples.calibration() or [self.examples.largest()]

    def require_changed(self, variant: Variant, layers: int) -> None:
        """Refuse a row that would show the float32 model under another name."""
        left = params.count_plain_layers(variant.module)
        if variant.input_dtype == "float32" and variant.forward is variant.module and left == layers:
            if self._technique == BASELINE:
                return
            raise UnsupportedError(
                f"it finds nothing that it can treat among this model's {layers} Linear and convolution layers"
                if layers
                else "this model has no Linear and no convolution layers, and it treats nothing else"
            )

    def notes(self, variant: Variant) -> tuple[str, ...]:
        """Say so if no better calibration was to be had, and if the variant runs in another way than the model."""
        found = []
        if self._calibrated and not self.examples.calibration():
            found.append("calibrated on the example inputs, as no calibrate was given: real data may have other ranges")
        if fast_path.split(variant.module):
            found.append(
                "torch's fused operator for an encoder layer cannot hold quantized layers: its parts run alone"
            )
        return tuple(found)

    def why_unsupported(self, error: Exception) -> str | None:
        """Blame the pair of technique and model for any exception that fp32 does not raise, unless memory ran out."""
        reason = super().why_unsupported(error)
        if reason or self._technique == BASELINE or isinstance(error, MemoryError):
            return reason
        if "can't allocate memory" in str(error) or "out of memory" in str(error):
            return None
        return f"the model does not work as {self._technique}: {describe_exception(error)}"
