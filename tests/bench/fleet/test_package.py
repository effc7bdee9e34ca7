"""What nodes are sent of quantbench itself."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from bench.fleet.package import package


@pytest.mark.parametrize(("folder", "file"), [("x.egg-info", "PKG-INFO"), ("x-1.2.dist-info", "METADATA")])
def test_the_version_travels_however_it_is_installed(
    folder: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = tmp_path / folder.replace("x", "quantbench")
    information.mkdir()
    (information / file).write_text("Metadata-Version: 2.1\nName: quantbench\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(tmp_path)
    with zipfile.ZipFile(io.BytesIO(package().content)) as archive:
        assert b"Version: 1.2\n" in archive.read("quantbench-1.2.dist-info/METADATA")
