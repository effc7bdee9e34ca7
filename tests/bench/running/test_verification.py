"""A file that is not the variant: a note where the variant itself is measured, a failure where the file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.errors import WorkerError
from bench.core.variant_key import VariantKey
from bench.results.row import Row
from bench.running.rows import _note_verification
from bench.running.variant_under_test import VariantUnderTest
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import LoadedFacts, TaskModel, VariantFacts, VariantRequest

LOADED = LoadedFacts("the same", load_s=0.1, first_answer_s=0.01, peak_memory_bytes=1000)


def variant(packed: bool) -> VariantUnderTest:
    request = VariantRequest(
        key=VariantKey("fp32", "eager" if packed else "onnxruntime"),
        workload=TaskModel("mnist", "lab1", Path("unused"), Path("unused")),
        packed=Path("unused"),
        device="cpu",
        engine="fbgemm",
        isa=frozenset(),
        threads=1,
        largest_batch=1,
    )
    made = VariantUnderTest(TECHNIQUES.get("fp32"), request, None)
    made.facts = VariantFacts(
        size_bytes=100,
        deploy_bytes=50,
        packed_bytes=50 if packed else None,
        bytes_by_dtype={},
        params=10,
        layers=None,
        macs=None,
        fingerprint="the same",
        simulated=False,
        bit_operations=None,
        scores={},
        build_s=2.0,
        notes=(),
    )
    return made


def verified(packed: bool, outcome: LoadedFacts | Exception) -> Row:
    made = variant(packed)
    _note_verification(made, outcome)
    return made.row()


@pytest.mark.parametrize("packed", [True, False])
def test_what_loading_took_is_in_the_row(packed: bool) -> None:
    row = verified(packed, LOADED)
    assert (row.status, row.deploy_bytes, row.packed_bytes) == ("ok", 50, 50 if packed else None)
    assert (row.build_s, row.load_s, row.first_answer_s, row.peak_memory_bytes) == (2.0, 0.1, 0.01, 1000)


@pytest.mark.parametrize("outcome", [LoadedFacts("other", 0.1, 0.01, 1000), WorkerError("the process died of SIGSEGV")])
def test_a_file_that_is_not_the_variant(outcome: LoadedFacts | Exception) -> None:
    packed, own = verified(True, outcome), verified(False, outcome)
    assert (packed.status, own.status) == ("ok", "failed")
    assert packed.notes[0].removeprefix("no packed size: ") == own.reason
    for row in (packed, own):
        assert (row.deploy_bytes, row.packed_bytes, row.peak_memory_bytes, row.load_s) == (None, None, None, None)
