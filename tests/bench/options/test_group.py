"""Options as an object: what is given once is read once."""

from __future__ import annotations

from bench.options.run import RunOptions


def test_a_generator_of_names_can_be_read_as_often_as_a_list() -> None:
    options = RunOptions(models=(name for name in ("mnist/lab1", "mnist/lab2")))  # type: ignore[arg-type]
    assert list(options.models) == list(options.models) == ["mnist/lab1", "mnist/lab2"]
