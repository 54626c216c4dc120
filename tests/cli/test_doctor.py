from __future__ import annotations

import importlib.metadata
import json
import os
from email import message_from_string
from email.message import Message
from pathlib import Path

import numpy as np
import pytest

from quedge import __version__
from quedge.cli.doctor import Requirement, requirements_of
from quedge.model import kernel_cache
from tests.cli.in_process import main_in

METADATA = [
    "numpy>=1.26",
    "nosuchlibrary>=2; extra == 'plot'",
    "typer; extra == 'parquet'",
    "pytest>=8; extra == 'test'",
]


@pytest.fixture(autouse=True)
def metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: METADATA)
    monkeypatch.setattr(kernel_cache, "machine_code_folder", lambda: tmp_path)


def test_requirements_are_those_of_the_metadata_without_the_developers() -> None:
    lines = [
        "numpy>=1.26",
        "scipy>=1.11; extra == 'matlab'",
        "quedge[plot]; extra == 'x'",
        "ruff>=0.6; extra == 'test'",
    ]
    assert list(requirements_of(lines)) == [Requirement("numpy", "1.26", ""), Requirement("scipy", "1.11", "matlab")]


def test_versions_are_compared_number_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, least, lack in [
        ("1.9", "1.10", "x 1.9 is older than 1.10"),
        ("1.10.1", "1.10", None),
        ("13.0.0", "13", None),
        ("2.0rc1", "2", None),
        ("0.1", "", None),
    ]:
        monkeypatch.setattr(importlib.metadata, "version", lambda name, found=found: found)
        assert Requirement("x", least, "").lack() == lack


def test_json_tells_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    done = main_in(tmp_path, "doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr, told["problems"]) == (0, "", [])
    assert told["quedge"] == __version__
    assert told["libraries"]["numpy"] == np.__version__
    assert told["libraries"]["nosuchlibrary"] is None
    assert told["extras"]["parquet"]["installed"]
    assert told["extras"]["plot"] == {
        "installed": False,
        "missing": ["nosuchlibrary is not installed"],
        "install": "pip install 'quedge[plot]'",
    }
    assert told["machine_code_folder"] == str(tmp_path)
    assert told["threads"]["OMP_NUM_THREADS"] == "3"
    assert told["cores"]["usable"] == len(os.sched_getaffinity(0))


def test_people_read_how_to_get_what_is_missing(tmp_path: Path) -> None:
    done = main_in(tmp_path, "doctor")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].startswith(f"quedge {__version__}, Python 3.")
    assert "extras installed: parquet" in lines
    assert "  pip install 'quedge[plot]': nosuchlibrary is not installed" in lines
    assert lines[-1] == "Nothing that quedge needs is broken."


def test_what_quedge_needs_and_has_not_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["nosuchlibrary>=1"])
    monkeypatch.setattr(kernel_cache, "machine_code_folder", lambda: None)
    done = main_in(tmp_path, "doctor")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()[-2:]
    assert first == "broken: nosuchlibrary is not installed"
    assert second.startswith("broken: machine code cannot be kept")


def test_sources_that_are_not_installed_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    done = main_in(tmp_path, "doctor")
    assert done.returncode == 0
    assert "unknown, since quedge is run from its sources" in done.stdout


def test_licences_are_those_of_the_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stated = {
        "numpy": "License-Expression: BSD-3-Clause",
        "typer": "Classifier: License :: OSI Approved :: MIT License",
        "quedge": "License: Apache-2.0\n        and a long text",
    }

    def metadata_of(name: str) -> Message:
        if name not in stated:
            raise importlib.metadata.PackageNotFoundError(name)
        return message_from_string(stated[name])

    monkeypatch.setattr(importlib.metadata, "metadata", metadata_of)
    ended = main_in(tmp_path, "doctor", "--licences", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "quedge": "Apache-2.0", "nosuchlibrary": "not installed", "numpy": "BSD-3-Clause", "typer": "MIT License"
    }  # fmt: skip
