"""What studies and fleets write, as fuzzing begins with it, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.comparing.fleet import compare_fleet
from bench.core.errors import RunFileError
from bench.fleet.folder import FLEET_FILE, FleetFolder
from bench.report import distillation, fleet, markdown, page, selfcheck, sensitivity
from bench.results.bounds import first_fault
from bench.results.distillation import Distillation
from bench.results.fleet import Fleet, NodeFacts, NodeRecord
from bench.results.selfcheck import SelfCheck
from bench.results.sensitivity import Sensitivity
from tests.bench.fleet.plans import FLEET as PLANNED
from tests.bench.fuzzing.formats import Format
from tests.repository import ROOT


class StudyError(Exception):
    """The first fault of a study."""


def _load(kind: type[BaseModel], path: Path) -> BaseModel:
    """Read a study as users of the library do: no command reads one again."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StudyError(f"{path}: {first_fault(error)}") from error


def _study(kind: type[BaseModel], render: Callable[[Any], str], *names: str) -> Format:
    """Return the format of committed studies."""
    return Format(
        valid=lambda folder: [
            _shortened(json.loads((ROOT / "reports" / name).read_text(encoding="utf-8"))) for name in names
        ],
        load=partial(_load, kind),
        refusals=(StudyError,),
        render=lambda value, unchanged, folder: _require_text(render(value)),
    )


def _shortened(content: Any) -> Any:
    """Cut lists of figures to a few, as far as that leaves them as long as one another."""
    if isinstance(content, dict):
        return {key: _shortened(value) for key, value in content.items()}
    if isinstance(content, list):
        figures = content and isinstance(content[0], int | float)
        return content[:12] if figures else [_shortened(part) for part in content]
    return content


def _require_text(text: str) -> None:
    assert text.encode()


def _fleets(folder: Path) -> list[Any]:
    facts = NodeFacts(python="3.11.2", versions={"torch": "2.14.1", "quantbench": "0.9.0"}, load=1.5, niceness=0)
    nodes = [
        NodeRecord(name="server", state="finished", facts=facts, rows=2),
        NodeRecord(name="laptop", state="failed", reason="the node died", rows=2),
        NodeRecord(name="board", state="running", at="lab1", done=1, total=4, since="2026-01-02T03:04:05+00:00"),
    ]
    return [json.loads(PLANNED.model_copy(update={"nodes": nodes}).model_dump_json())]


def _render_fleet(value: Fleet, unchanged: Fleet, folder: Path) -> None:
    document = fleet.document(value, compare_fleet({}), {})
    for text in (fleet.status(value).markdown(), markdown.render_document(document)):
        text.encode()
    _require_text(page.render_with(document, "", []))


SENSITIVITY = _study(
    Sensitivity, sensitivity.render, "sensitivity-mnist-lab2/sensitivity.json", "sensitivity-sst2-lab2/sensitivity.json"
)
DISTILLATION = _study(Distillation, distillation.render, "distillation/distillation.json")
SELFCHECK = _study(SelfCheck, selfcheck.render, "selfcheck/selfcheck.json")
FLEET = Format(
    _fleets, lambda path: FleetFolder(path.parent).fleet(), (RunFileError,), _render_fleet, file_name=FLEET_FILE
)
