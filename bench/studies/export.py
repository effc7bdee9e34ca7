"""``bench export``: the packed file of one variant, for use elsewhere."""

from __future__ import annotations

from pathlib import Path

from bench.core.errors import RequestError
from bench.core.files import require_writable
from bench.options.signature import from_options
from bench.options.studies import ExportOptions
from bench.running.model_session import model_session
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import VariantFacts


@from_options(ExportOptions)
def export(options: ExportOptions) -> VariantFacts:
    """Write the packed file of ``model`` (``task/model``) after ``technique``, verified, and return what it came to.

    Trains the weights if they are not in the cache. Raises ``bench.QuantbenchError``.
    """
    chosen = TECHNIQUES.get(options.technique)
    target = Path(options.path)
    if target.is_dir():
        raise RequestError(f"{target} is a folder; name a file for --out.")
    require_writable(target.parent)  # before minutes of training
    with model_session(options) as session:
        training = session.training(chosen, options.seed)
        session.train_one(training)
        return session.export(chosen, training, target)
