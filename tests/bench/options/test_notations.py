"""Values that the command line writes in a way of its own are read back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.options.notations import BYTES, PERCENTAGE_POINTS, SECONDS, SHARE, WIDTHS, Notation


@given(st.floats(1e-9, 1e9))
def test_a_share_is_read_back(share: float) -> None:
    assert SHARE.read(SHARE.write(share)) == pytest.approx(share, rel=1e-11)


@given(st.floats(1e-9, 1e9), st.sampled_from(["", " "]))
def test_a_share_may_be_a_number_or_percent(share: float, space: str) -> None:
    assert SHARE.read(f"{space}{share!r}{space}") == share
    assert SHARE.read(f"{share!r}{space}%{space}") == share / 100


@given(st.floats(-100, 100))
def test_percentage_points_are_read_back(points: float) -> None:
    assert PERCENTAGE_POINTS.read(PERCENTAGE_POINTS.write(points)) == pytest.approx(points, rel=1e-5)


@given(st.lists(st.integers(1, 64), min_size=1))
def test_widths_are_read_back(widths: list[int]) -> None:
    assert WIDTHS.read(WIDTHS.write(widths)) == tuple(widths)


@pytest.mark.parametrize("notation", [SHARE, PERCENTAGE_POINTS, WIDTHS, BYTES, SECONDS])
@given(text=st.text())
def test_any_other_text_is_refused(notation: Notation, text: str) -> None:
    try:
        value = notation.read(text)
    except ValueError:
        return
    assert isinstance(value, float | int | tuple)


@pytest.mark.parametrize(
    ("notation", "text"), [(SHARE, "5%%"), (SHARE, "%"), (PERCENTAGE_POINTS, "0.5"), (WIDTHS, ""), (WIDTHS, "8,x")]
)
def test_what_is_not_written_so_is_refused(notation: Notation, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — any will do
        notation.read(text)


@pytest.mark.parametrize(
    ("notation", "text", "value"),
    [
        (BYTES, "1MB", 1_000_000),
        (BYTES, " 0.4 MB ", 400_000),
        (BYTES, "400kB", 400_000),
        (BYTES, "1MiB", 2**20),
        (BYTES, "7B", 7),
        (SECONDS, "200us", 200e-6),
        (SECONDS, "1.5ms", 1.5e-3),
        (SECONDS, "2s", 2.0),
    ],
)
def test_sizes_and_times_have_their_unit(notation: Notation, text: str, value: float) -> None:
    assert notation.read(text) == pytest.approx(value)
    assert notation.read(notation.write(value)) == pytest.approx(value)
