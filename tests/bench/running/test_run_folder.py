"""An unfinished run is taken up again on the machine that began it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from bench.core.errors import RunFileError
from bench.results import run_file
from bench.running.run_folder import RUN_FILE, RunFolder
from tests.bench import examples


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    run = examples.RUN.model_copy(update={"finished": False, "quantbench": version("quantbench")})
    run_file.save(run, tmp_path / RUN_FILE)
    return tmp_path


def test_memory_that_differs_by_a_page_does_not_stand_in_the_way(unfinished: Path) -> None:
    assert examples.MACHINE.memory_bytes is not None
    here = examples.MACHINE.model_copy(update={"memory_bytes": examples.MACHINE.memory_bytes - 4096})
    assert RunFolder.open(unfinished, examples.RUN.settings, here).run.rows


def test_another_cpu_does(unfinished: Path) -> None:
    here = examples.MACHINE.model_copy(update={"cpu": "Other CPU"})
    with pytest.raises(RunFileError, match="CPU 'Example CPU 3000', now 'Other CPU'"):
        RunFolder.open(unfinished, examples.RUN.settings, here)
