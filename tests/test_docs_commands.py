"""The command lines that README and docs show can be given: commands, options, values, keys, policies, names."""

from __future__ import annotations

import io
import itertools
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from quedge.cli.command import _COMMANDS, app
from quedge.files.policies import POLICIES
from quedge.files.scenario import read_scenario
from tests.cli.in_process import main_in

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STAND_INS = {
    "DIR": "folder", "FOLDER": "folder", "HOST:PORT": "127.0.0.1:50051",
    "K": "10", "D": "stm32f411", "A": "AES-256-GCM",
    "server_frequency_hz=F": "server_frequency_hz=2e9",
}  # fmt: skip
"""What stands for values that a reader fills in."""
GROUPS = (("pqc",), ("state",))
"""Commands that have commands of their own, and are only named without one."""
QUICK = ("--version", "--help", "doctor", "init", "pqc list", "pqc show")
"""Commands that are run, too: they compute next to nothing, and need no file."""


class Shown(NamedTuple):
    """A command line of a page.

    Attributes:
        arguments: what follows `quedge`.
        page: where it stands.
        is_whole: whether it can be given as it stands; within prose a command may be named without what it needs.
    """

    arguments: tuple[str, ...]
    page: str
    is_whole: bool


def shown_lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a page's indented blocks, and, not whole, what stands as code within its prose."""
    for line in re.findall(r"^    (\S.*)$", re.sub(r"\\\n\s*", " ", text), flags=re.MULTILINE):
        yield line, True
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(r"`(quedge [^`\n]+)`", prose):
        yield line, False


def commands_of(page: Path) -> Iterator[Shown]:
    """The commands of a page; those of a line stand between `&&`, `|` and `&`, a comment behind them."""
    for line, is_whole in shown_lines(page.read_text(encoding="utf-8")):
        if "quedge " not in line or "quedge uplink" in line:  # that is a label of the secured uplink
            continue
        lexed = shlex.shlex(line, posix=True, punctuation_chars="|&")
        lexed.whitespace_split = True
        for between, words in itertools.groupby(lexed, key=lambda word: set(word) <= {"|", "&"}):
            name, *arguments = words
            if not between and Path(name).name == "quedge" and arguments:
                yield Shown(tuple(STAND_INS.get(each, each) for each in arguments), page.name, is_whole)


COMMANDS = sorted({shown for page in PAGES for shown in commands_of(page)})


def parsed(arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The command that is called, with its own sub-command, and its parameters."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("quedge", list(arguments))
    names = []
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        names.append(name)
        context = command.make_context(name, rest, parent=context)
    return " ".join(names), context.params


@pytest.mark.parametrize("shown", COMMANDS, ids=lambda shown: f"{shown.page}: {' '.join(shown.arguments)}")
def test_a_command_that_is_shown_can_be_given(shown: Shown) -> None:
    if shown.arguments[0].startswith("--"):
        return  # one of the program itself, which is run below
    if shown.arguments in GROUPS:
        assert not shown.is_whole
        return
    try:
        name, parameters = parsed(shown.arguments)
    except Exception as error:
        if shown.is_whole or type(error).__name__ != "MissingParameter":
            raise
        return
    read_scenario(None, [*(parameters.get("settings") or ()), *first_values(parameters.get("vary") or ())])
    for policy in named_policies(parameters):
        assert policy in POLICIES or ":" in policy, policy
    if name == "reproduce":
        from quedge.experiments.catalogue import chosen

        chosen(parameters["names"] or ["all"])


def first_values(varied: Sequence[str]) -> list[str]:
    """A setting of each key that is varied."""
    return [f"{key}={values.split(',')[0]}" for key, _, values in (each.partition("=") for each in varied)]


def named_policies(parameters: dict[str, Any]) -> list[str]:
    """The policies that a command names."""
    given = [parameters.get(key) or () for key in ("policy", "shadow")]
    return [name for each in given for name in ([each] if isinstance(each, str) else each)]


def test_every_command_is_shown() -> None:
    assert len(COMMANDS) > 100
    assert {shown.arguments[0] for shown in COMMANDS} >= {place.name for place in _COMMANDS}


SHOWN_AND_QUICK = sorted({shown.arguments for shown in COMMANDS if " ".join(shown.arguments).startswith(QUICK)})


@pytest.mark.parametrize("arguments", SHOWN_AND_QUICK, ids=" ".join)
def test_a_quick_command_that_is_shown_runs(arguments: Sequence[str], tmp_path: Path) -> None:
    ended = main_in(tmp_path, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


def test_the_line_that_decides_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    line = re.findall(r"echo '(.*)' \| quedge decide$", text, flags=re.MULTILINE)[0]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line.encode())))
    ended = main_in(tmp_path, "decide")
    assert json.loads(ended.stdout)["offload"] == [True, True]
