"""What shells offer after a Tab, asked as the scripts ask that `quedge --show-completion` gives them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quedge.experiments.catalogue import EXPERIMENTS
from quedge.files.policies import POLICIES
from quedge.policy.learners import LEARNERS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the shell stands: two scenario files, another file, and the command."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "cells").mkdir()
    for name in ("cell.toml", "notes.txt", "cells/inner.toml"):
        (tmp_path / name).touch()
    command = tmp_path / "bin" / "quedge"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m quedge "$@"\n')
    command.chmod(0o755)
    return tmp_path


def asked(folder: Path, shell: list[str], **environment: str) -> list[str]:
    """The lines that a command prints there."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        shell, cwd=folder, env=os.environ | {"PATH": path, "HOME": str(folder)} | environment,
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


SCRIPTS: list[str] = []


def in_bash(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last word."""
    if not SCRIPTS:  # it is the same in every folder
        SCRIPTS.extend(asked(folder, ["bash", "--norc", "-c", "quedge --show-completion; true"]))
    (folder / "script").write_text("\n".join(SCRIPTS))
    program = (
        "source ./script; "
        'COMP_WORDS=(quedge "$@"); COMP_CWORD=$#; _quedge_completion quedge; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return asked(folder, ["bash", "--norc", "-c", program, "bash", *words])


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], ["run"]),
        (["run", "--policy", ""], list(POLICIES)),
        (["sweep", "--policy", "best"], ["best-pair", "best-single"]),
        (["train", "--policy", ""], list(LEARNERS)),
        (["run", ""], ["cell.toml"]),
        (["run", "cells/"], ["cells/inner.toml"]),
        (["run", "--tra"], ["--traces"]),
        (["run", "--traces", ""], ["csv", "npz", "parquet"]),
        (["reproduce", "fig"], [name for name in EXPERIMENTS if name.startswith("fig")]),
        (["pqc", "show", ""], ["level1", "level3", "level5"]),
        (["run", "--channel-trace", ""], [""]),  # none of ours: bash goes on to offer files
    ],
    ids=lambda value: " ".join(value),
)
def test_bash_completes_commands_options_and_what_they_take(folder: Path, words: list[str], offered: list[str]) -> None:
    assert in_bash(folder, *words) == offered


def test_zsh_is_offered_the_same(folder: Path) -> None:
    def in_zsh(line: str) -> list[str]:
        return asked(folder, ["quedge"], _QUEDGE_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)

    assert in_zsh("quedge run --policy best-") == ['_arguments \'*: :(("best-pair"', '"best-single"))\'']
    assert in_zsh("quedge run --agent ") == ["_files"]


def test_completion_is_installed_by_one_command(folder: Path) -> None:
    asked(folder, ["bash", "--norc", "-c", "quedge --install-completion; true"])
    assert "quedge" in (folder / ".bashrc").read_text()
