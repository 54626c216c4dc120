"""`quedge pqc report`: what post-quantum security costs a cell, on one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli.options import Settings as ScenarioSettings
from quedge.cli.options import integer_option
from quedge.cli.usage import refusing
from quedge.errors import check_installed, is_number, not_allowed
from quedge.experiments.security_report import Picture, Settings, as_html, as_markdown, levels_of, report_of
from quedge.files.atomic import whole_file
from quedge.files.scenario import read_scenario

_DEVICE = "stm32f411"
_SUFFIXES = (".html", ".md")


def _tell(level: str) -> None:
    """What is being measured, for who waits."""
    print(f"{level} ...", file=sys.stderr, flush=True)


def report(
    scenario: Annotated[Path | None, typer.Argument(help="Scenario file (TOML); without it, the paper's cell.")] = None,
    settings: ScenarioSettings = None,
    out: Annotated[
        Path, typer.Option(help="File to write, .html or .md; pictures of the latter stand beside it.")
    ] = Path("pqc-report.html"),
    device: Annotated[str | None, typer.Option(help=f"Device; the scenario's without it, or {_DEVICE}.")] = None,
    battery_wh: Annotated[
        float, typer.Option("--battery-wh", metavar="WH", help="Battery of a device, whose life is told.")
    ] = 10.0,
    frames: Annotated[int, integer_option(100, 1_000_000, "Frames of each run.")] = 4000,
    seeds: Annotated[int, integer_option(2, 1000, "Runs of each level.")] = 3,
) -> None:
    """Write one page on what post-quantum security costs a cell, level by level, with sources.

    Every level is simulated by the exact policy, and the load that no policy exceeds is bounded (extra `capacity`).
    """
    with refusing():
        if out.suffix not in _SUFFIXES:
            raise not_allowed("--out", str(out), "a file that ends in .html or .md")
        if not (is_number(battery_wh) and 0.0 < battery_wh <= 1e9):
            raise not_allowed("--battery-wh", battery_wh, "above 0 and at most 1e+09")
        check_installed("matplotlib", "quedge pqc report", "Matplotlib", "plot")
        cell = read_scenario(scenario, settings or ()).scenario
        name = cell.profiles.device("--device", device or cell.device or _DEVICE).name
        asked = Settings(name, battery_wh, frames, seeds)
        parts = report_of(cell, asked, levels_of(cell, asked, _tell))
        pictures = [part for part in parts if isinstance(part, Picture)]
        names = [f"{out.stem}-{place}.png" for place in range(len(pictures))]
        if out.suffix == ".md":
            for each, picture in zip(names, pictures, strict=True):
                with whole_file(out.with_name(each)) as file:
                    file.write(picture.png)
        text = as_html(parts) if out.suffix == ".html" else as_markdown(parts, names.__getitem__)
        with whole_file(out) as file:
            file.write(text.encode())
    print(f"Written to {out}.")
