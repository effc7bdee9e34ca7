"""An error is described with the line that a user can do something about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.core.tracebacks import describe_exception


def test_an_error_in_an_installed_package_is_told_with_the_users_line(tmp_path: Path) -> None:
    package = tmp_path / "site-packages/installed.py"
    package.parent.mkdir()
    package.write_text("def fail():\n    raise ValueError('inside')\n")
    (tmp_path / "users.py").write_text("def call(fail):\n    fail()\n")
    spaces: list[dict[str, Any]] = [{}, {}]
    for file, space in zip((package, tmp_path / "users.py"), spaces, strict=True):
        exec(compile(file.read_text(), str(file), "exec"), space)  # noqa: S102 — ours
    installed, users = spaces
    with pytest.raises(ValueError, match="inside") as caught:
        users["call"](installed["fail"])
    assert describe_exception(caught.value) == "ValueError: inside (users.py, line 2: `fail()`)"
    tracebacks = caught.tb.tb_next
    assert tracebacks
    error = caught.value.with_traceback(tracebacks.tb_next)  # as if the user had no part in it
    assert describe_exception(error) == "ValueError: inside (installed.py, line 2: `raise ValueError('inside')`)"


def test_an_error_is_told_with_the_innermost_line_that_is_not_torchs() -> None:
    def fail() -> Any:
        return torch.nn.Linear(2, 3)(torch.rand(1, 5))

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert describe_exception(caught.value) == (
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x5 and 2x3) "
        f"(test_tracebacks.py, line {fail.__code__.co_firstlineno + 1}: "
        "`return torch.nn.Linear(2, 3)(torch.rand(1, 5))`)"
    )
