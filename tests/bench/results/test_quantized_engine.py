"""Which quantized engine a machine takes where nobody names one."""

from __future__ import annotations

import pytest

from bench.results.quantized_engine import default_engine
from tests.bench.examples import MACHINE

X86 = ["qnnpack", "onednn", "x86", "fbgemm"]


@pytest.mark.parametrize(
    ("isa", "engines", "active", "expected"),
    [
        (["AVX2", "AVX512-VNNI"], X86, "x86", "x86"),
        (["AVX2"], X86, "x86", "fbgemm"),
        (["AVX2", "AVX-VNNI"], X86, "x86", "fbgemm"),  # torch's x86 asks for AVX512-VNNI
        (["AVX2", "AVX512-VNNI"], ["fbgemm"], "fbgemm", "fbgemm"),
        (["NEON", "dot product"], ["qnnpack"], "qnnpack", "qnnpack"),
        (["AVX2", "AVX512-VNNI"], [], "none", "fbgemm"),
    ],
)
def test_the_fastest_that_is_right_is_taken(isa: list[str], engines: list[str], active: str, expected: str) -> None:
    changes = {"isa": isa, "quantized_engines": engines, "quantized_engine": active}
    assert default_engine(MACHINE.model_copy(update=changes)) == expected
