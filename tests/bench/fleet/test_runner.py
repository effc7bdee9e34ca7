"""Whether a folder's fleet goes on with a request, or is another one."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import RunFileError
from bench.fleet.folder import FleetFolder
from bench.fleet.runner import _same_request
from tests.bench.fleet.plans import FLEET, SPEC


def kept(folder: Path) -> FleetFolder:
    made = FleetFolder(folder)
    made.save(FLEET.model_copy(update={"quantbench": version("quantbench")}))
    return made


@pytest.mark.parametrize("changes", [{}, {"budget_s": 7.0}, {"timeout_s": 7.0}, {"spread_s": 7.0}])
def test_limits_may_change_when_a_fleet_is_taken_up_again(changes: dict[str, Any], tmp_path: Path) -> None:
    assert _same_request(kept(tmp_path), SPEC.model_copy(update=changes)) is not None


def test_another_request_needs_another_folder(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"other settings .*threads 1, now 7.*another folder with --out"):
        _same_request(kept(tmp_path), SPEC.model_copy(update={"threads": 7}))
