"""``bench inspect``: what a technique makes of each layer's weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import RequestError, UnknownNameError
from bench.core.files import require_writable
from bench.running.model_session import model_session
from bench.running.settings import check_epochs, check_seed
from bench.tasks.source import DataPolicy
from bench.techniques.base import TECHNIQUES
from bench.techniques.low_bit import LowBit
from bench.worker.messages import VARIANT_HOST
from bench.worker.process import Worker


def inspect(
    model: str,
    technique: str,
    layers: Sequence[str] = (),
    *,
    out: Path | str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    progress: bool | None = None,
) -> str:
    """Return tables of the layers of ``model`` after a low-bit technique: levels, signal to noise, scores by rule.

    Of ``layers`` the different weights, and the outputs for some test examples, are described too; with a folder
    ``out``, histograms before and after are drawn into ``weights.svg`` there. Raises ``bench.QuantbenchError``.
    """
    check_epochs(epochs)
    check_seed(seed)
    chosen = TECHNIQUES.get(technique)
    if not isinstance(chosen, LowBit):
        families = ", ".join(sorted(each.family for each in TECHNIQUES if isinstance(each, LowBit)))
        raise RequestError(f"{technique} is no low-bit technique, so there are no levels to look at; try {families}.")
    if not chosen.quantizes:
        raise RequestError(f"{chosen.name} quantizes nothing, so there are no levels to look at; give fewer bits.")
    folder = Path(out) if out is not None else None
    if folder is not None:
        require_writable(folder)
    with model_session(model, device=device, data=data, data_root=data_root, progress=progress) as session:
        training = session.training(chosen, seed, epochs)
        modules = session.dataset.modules[session.selected.spec.name]
        for layer in layers:
            if layer not in modules:
                raise UnknownNameError("layer", layer, modules)
        session.train_one(training)
        worker = Worker(VARIANT_HOST)
        try:
            request = session.request(chosen, training, session.dataset.path.with_name("unused.packed"))
            text: str = worker.call("inspect", request, list(layers), folder)
        finally:
            worker.close()
    return text
