"""Options from the command line, the environment and a file, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from quedge.cli.configured import configured
from quedge.cli.group import Place
from quedge.cli.usage import UsageError
from tests.cli.in_process import main_in


@configured("TRIED")
def tried(
    scenario: Annotated[Path | None, typer.Argument()] = None,
    listen: Annotated[str, typer.Option()] = "nowhere",
    stations: Annotated[list[str] | None, typer.Option("--station")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set")] = None,
    max_stations: Annotated[int, typer.Option()] = 16,
    bind_names: Annotated[bool | None, typer.Option("--bind-names/--any-name")] = None,
    learn: Annotated[bool, typer.Option("--learn")] = False,
    config: Annotated[Path | None, typer.Option("--config")] = None,
) -> None:
    """Say what is given."""
    print(scenario, listen, stations or [], settings or [], max_stations, bind_names, learn)


def said(folder: Path, text: str, *arguments: str, **environment: str) -> str:
    """What the command was given; it stands beside its file."""
    (folder / "quedge.toml").write_text(text, encoding="utf-8")
    app = typer.Typer(add_completion=False)
    app.command(cls=tried.command_class)(tried)  # type: ignore[attr-defined]
    config = ["--config", str(folder / "quedge.toml")]
    done = CliRunner().invoke(app, [*config, *arguments], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_keys_of_the_file_are_options_of_every_kind(tmp_path: Path) -> None:
    text = """
        scenario = "cell.toml"
        listen = "127.0.0.1:7"
        station = ["roof", "quay"]
        max-stations = 4
        bind-names = false
        learn = true
        [set]
        devices = 3
        suite = "level3"
        noise = [1e-3, 2]
        residual = true
    """
    assert said(tmp_path, text) == (
        "cell.toml 127.0.0.1:7 ['roof', 'quay'] "
        """['devices=3', 'suite="level3"', 'noise=[0.001, 2]', 'residual=true'] 4 False True"""
    )


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    text = 'listen = "file"\nmax-stations = 1\nstation = ["file"]\nscenario = "file"\nbind-names = true'
    environment = {"TRIED_LISTEN": "environment", "TRIED_MAX_STATIONS": "2", "TRIED_STATION": "one two"}
    assert said(tmp_path, text) == "file file ['file'] [] 1 True False"
    assert said(tmp_path, text, **environment) == "file environment ['one', 'two'] [] 2 True False"
    line = ["--listen", "line", "--max-stations", "3", "--station", "line", "--any-name", "line"]
    assert said(tmp_path, text, *line, **environment) == "line line ['line'] [] 3 False False"


def test_flags_stand_in_the_environment_too(tmp_path: Path) -> None:
    assert said(tmp_path, "", TRIED_LEARN="1", TRIED_BIND_NAMES="false").endswith("16 False True")
    assert said(tmp_path, "learn = true", TRIED_LEARN="0").endswith("False")


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "named.toml").write_text('listen = "named"')
    app = typer.Typer(add_completion=False)
    app.command(cls=tried.command_class)(tried)  # type: ignore[attr-defined]
    done = CliRunner().invoke(app, [], env={"TRIED_CONFIG": str(tmp_path / "named.toml")}, catch_exceptions=False)
    assert done.output.startswith("None named")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lissen = 1", "key: 'lissen' is not allowed; it must be one of bind-names, learn, listen, max-stations,"),
        ('config = "other.toml"', "key: 'config' is not allowed"),
        ("listen = true", "listen: True is not allowed; it must be a text or a number"),
        ('station = "roof"', "station: 'roof' is not allowed; it must be a list of texts"),
        ('learn = "yes"', "learn: 'yes' is not allowed; it must be true or false"),
        ("listen = [", "is not valid TOML"),
    ],
)
def test_what_is_wrong_with_the_file_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        said(tmp_path, text)
    assert str(raised.value).startswith(str(tmp_path / "quedge.toml"))
    assert complaint in str(raised.value)


def loaded_options(place: Place) -> Sequence[str]:
    return [option for parameter in place.load().params for option in parameter.opts if option.startswith("--")]


def test_every_option_of_the_service_may_stand_in_its_file_and_its_environment() -> None:
    place = Place("serve", "quedge.cli.serve", "serve", "")
    keys = place.load()._parameters()
    assert {option.removeprefix("--") for option in loaded_options(place)} - {"help"} <= keys.keys() | {"any-name"}
    assert {parameter.envvar for parameter in keys.values()} >= {"QUEDGE_SERVE_TLS_CERT", "QUEDGE_SERVE_SET"}


def test_the_service_says_what_is_wrong_with_either_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serve.toml").write_text("late-ms = 0\n")
    done = main_in(tmp_path, "serve", "--config", "serve.toml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'--late-ms': '0' is not allowed; it must be a number above 0" in done.stderr
    assert main_in(tmp_path, "serve", "--config", "nowhere.toml").stderr == (
        "quedge: nowhere.toml: cannot be read: No such file or directory\n"
    )
    monkeypatch.setenv("QUEDGE_SERVE_MAX_STATIONS", "none")
    assert "'--max-stations'" in main_in(tmp_path, "serve").stderr
