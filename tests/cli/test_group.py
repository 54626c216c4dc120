"""Commands are imported when they are called; until then a line each stands for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperGroup

from quedge.cli import command, main
from quedge.cli.group import CommandGroup, Place


def places(group: CommandGroup) -> Iterator[Place]:
    for place in group._places.values():
        yield place
        loaded = place.load()
        if isinstance(loaded, CommandGroup):
            yield from places(loaded)


COMMANDS = typer.main.get_command(command.app)
PLACES = list(places(COMMANDS)) if isinstance(COMMANDS, CommandGroup) else []


@pytest.mark.parametrize("place", PLACES, ids=[place.name for place in PLACES])
def test_lists_say_of_a_command_what_its_own_help_begins_with(place: Place) -> None:
    loaded = place.load()
    assert loaded.name == place.name
    assert " ".join(loaded.help.split("\n\n")[0].split()) == place.help
    assert isinstance(loaded, TyperGroup) or loaded.callback.__name__ == place.attribute


def test_help_lists_every_command_and_imports_none() -> None:
    program = """
import sys
from quedge.cli import main
status = main(["--help"])
print([name for name in sys.modules if name in ("numpy", "numba", "pydantic", "json")])
print([name for name in sys.modules if name.startswith("quedge.")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *_, libraries, ours = done.stdout.splitlines()
    assert libraries == "[]"
    own = ["quedge.cli", "quedge.cli.command", "quedge.cli.group", "quedge.cli.usage", "quedge.errors"]
    assert sorted(eval(ours)) == own
    for place in PLACES:
        assert place.name in done.stdout or place.module.startswith(("quedge.cli.pqc.", "quedge.cli.state."))


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["run", "--seed", "1", "--seed", "1"], "--seed"),
        (["run", "--agent", "a.npz", "--agent=b.npz"], "--agent"),
        (["decide", "--policy", "exact", "--policy", "all-local"], "--policy"),
        (["sweep", "--vary", "nu=1,2", "--out", "a", "--out", "b", "--out", "c"], "--out"),
        (["pqc", "show", "level3", "--mbit", "3", "--mbit", "4"], "--mbit"),
    ],
)
def test_an_option_that_takes_one_value_is_refused_when_given_again(
    capsys: pytest.CaptureFixture[str], arguments: list[str], option: str
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    times = sum(argument.split("=")[0] == option for argument in arguments)
    assert f"'{option}': is given {times} times; once is allowed. See 'quedge {arguments[0]}" in line


def test_options_that_take_several_values_and_flags_may_be_given_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--policy", "all-local", "--policy", "best-single", "--set", "devices=2", "--set", "nu=50"]
    assert main([*arguments, "--frames", "2", "--json", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "needless"),
    [
        (["decide", "/dev/null"], ["rich", "quedge.simulation.run", "quedge.files.agent", "quedge.policy.static"]),
        (["run", "--frames", "2"], ["quedge.files.agent"]),
    ],
    ids=["decide", "run"],
)
def test_a_command_loads_what_it_needs_only(arguments: list[str], needless: list[str]) -> None:
    needless += ["quedge.experiments", "quedge.region.capacity", "quedge.service", "quedge.controller", "scipy.linalg"]
    program = f"import sys; from quedge.cli import main; main({arguments!r}); "
    program += f"print([name for name in {needless!r} if name in sys.modules])"
    for _ in range(2):  # the first one may compile, for which it needs more
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
