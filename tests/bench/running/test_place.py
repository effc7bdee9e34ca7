"""What a request says of this machine reaches the run that is carried out here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.running import runner
from bench.running.execute import Place
from tests.bench.examples import RUN


def test_every_option_has_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    places: list[Place] = []

    def execute(spec: object, store: object, place: Place) -> Any:
        places.append(place)
        return RUN

    monkeypatch.setattr(runner, "execute", execute)
    runner.run("quick", out=tmp_path, data_root=tmp_path, retrain=True, progress=False)
    assert places == [Place(out=tmp_path, data_root=tmp_path, user_models=[], retrain=True, progress=False)]
