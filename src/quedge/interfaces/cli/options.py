"""The options that several sub-commands share, each worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quedge.interfaces.cli import completing
from quedge.interfaces.cli.numbers import seed_of
from quedge.interfaces.cli.refusing import place_of
from quedge.interfaces.lydroo_settings import NAMES

ScenarioFile = Annotated[
    Path | None,
    typer.Argument(
        help="Scenario file (TOML); the paper's scenario without.", autocompletion=completing.scenario_files
    ),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A scenario's key. Can be given again.")
]
LearnerSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--learner",
        metavar="NAME=VALUE",
        help=f"A setting of the learning policies: {', '.join(NAMES)}. Can be given again.",
    ),
]
AgentFile = Annotated[
    Path | None,
    typer.Option(
        "--agent",
        parser=place_of,
        metavar="FILE",
        help="A trained agent, or its exported actor (.onnx); it decides without learning.",
    ),
]
Seed = Annotated[int, typer.Option(parser=seed_of, metavar="N", help="Seed of the random streams.")]
ChannelTrace = Annotated[Path | None, typer.Option(help="Recorded channel gains (.csv, .npz, .parquet, .mat).")]
ArrivalTrace = Annotated[Path | None, typer.Option(help="Recorded arrivals (.csv, .npz, .parquet, .mat).")]
