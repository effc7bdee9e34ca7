"""``bench export``: the packed file of one variant, for use elsewhere."""

from __future__ import annotations

from pathlib import Path

from bench.core.errors import RequestError
from bench.core.files import require_writable
from bench.core.variant_key import BASELINE
from bench.running.model_session import model_session
from bench.running.settings import check_epochs, check_seed
from bench.tasks.source import DataPolicy
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import VariantFacts


def export(
    model: str,
    path: Path | str,
    technique: str = BASELINE.technique,
    *,
    seed: int = 0,
    epochs: int | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    progress: bool | None = None,
) -> VariantFacts:
    """Write the packed file of ``model`` (``task/model``) after ``technique``, verified, and return what it came to.

    Trains the weights if they are not in the cache. Raises ``bench.QuantbenchError``.
    """
    check_epochs(epochs)
    check_seed(seed)
    chosen = TECHNIQUES.get(technique)
    target = Path(path)
    if target.is_dir():
        raise RequestError(f"{target} is a folder; name a file for --out.")
    require_writable(target.parent)  # before minutes of training
    with model_session(model, device=device, data=data, data_root=data_root, progress=progress) as session:
        training = session.training(chosen, seed, epochs)
        session.train_one(training)
        return session.export(chosen, training, target)
