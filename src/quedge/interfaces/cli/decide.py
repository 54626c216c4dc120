"""`quedge decide`: answer frames, one a line."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Annotated

import typer

from quedge.interfaces.cli import completing
from quedge.interfaces.cli.compiling import compile_decisions
from quedge.interfaces.cli.options import AgentFile, LearnerSettings, Settings
from quedge.interfaces.cli.refusing import UsageError, refusing
from quedge.interfaces.decide_lines import answer_lines
from quedge.interfaces.policies import ALLOWED, policies_by_name
from quedge.interfaces.scenario_file import read_scenario


def decide(
    file: Annotated[Path | None, typer.Argument(help="Frames as JSON Lines; standard input without.")] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help=f"Who decides: {ALLOWED}; exact without, or the agent's.", autocompletion=completing.policies
        ),
    ] = None,
    learner: LearnerSettings = None,
    agent: AgentFile = None,
    scenario: Annotated[Path | None, typer.Option(help="Scenario file (TOML).")] = None,
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answers are JSON Lines with or without it.")] = False,
) -> None:
    """Decide frames: JSON Lines with channel_gain, data_queue_mbit and energy_queue in, decisions out.

    A learning policy starts afresh and learns from line to line; with --agent it is a trained one, and learns no more.
    A bad line is answered by a line with "error" and "line"; the exit status is then 1.
    """
    with refusing():
        (chosen,) = policies_by_name([] if policy is None else [policy], learner or (), agent).values()
        given = read_scenario(scenario, settings or ())
    with _opened(file) as lines:
        compile_decisions(chosen)
        all_good = True
        for answer, good in answer_lines(lines, given, chosen):
            print(answer, flush=True)  # whoever asks may wait for this answer before asking again
            all_good = all_good and good
    if not all_good:
        raise typer.Exit(1)


def _opened(file: Path | None) -> AbstractContextManager[IO[bytes]]:
    if file is None or str(file) == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
