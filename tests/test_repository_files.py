"""What the repository says of the project: a citation of this version, and workflows that run what there is."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def read(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def test_the_citation_is_of_this_version() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_can_read_and_no_more(workflow: Path) -> None:
    content = read(workflow)
    assert content["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in content["jobs"].values())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_text_of_a_pull_request_becomes_code(workflow: Path) -> None:
    steps = [step for job in read(workflow)["jobs"].values() for step in job["steps"]]
    assert not [step for step in steps if "${{" in step.get("run", "")]


def test_ci_runs_what_can_be_run_anywhere() -> None:
    runs = [step["run"] for step in read(ROOT / ".github/workflows/ci.yml")["jobs"]["tests"]["steps"] if "run" in step]
    assert runs == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_gate_example_asks_for_what_the_page_says() -> None:
    text = (ROOT / ".github/workflows/gate-example.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    [rules] = set(re.findall(r"bench compare base/run\.json new/run\.json((?: --fail-if \"[^\"]+\")+)", text))
    assert f"bench compare base/run.json new/run.json{rules}" in page
