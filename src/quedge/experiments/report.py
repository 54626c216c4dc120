"""One page of all figures and tables in a folder."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from quedge.errors import check_installed
from quedge.experiments.engine.workers import common_versions
from quedge.experiments.publication import MANIFEST
from quedge.experiments.records import BOLD_RULE, SETTLED_RULE
from quedge.experiments.symbols import SYMBOLS, assignment, value_text
from quedge.files.atomic import content_of, whole_file
from quedge.model.scenario import PARAMETERS

Manifest = Mapping[str, Any]


class Constant(NamedTuple):
    """A key of the scenario with its default value."""

    symbol: str
    words: str
    key: str
    value: str


class Policy(NamedTuple):
    """A policy with its settings; `only` names its experiments where policies of one name have several settings."""

    name: str
    settings: str
    only: str


class Common(NamedTuple):
    """The settings that most experiments share.

    Attributes:
        frames: of a run.
        seeds: of a grid.
        channel: where channel gains come from.
        arrivals: where arrivals come from.
        probe: what measures.
        constants: of the scenario.
        policies: all policies that ran.
    """

    frames: int
    seeds: list[int]
    channel: str
    arrivals: str
    probe: str
    constants: list[Constant]
    policies: list[Policy]


def common_settings(experiments: Sequence[Manifest]) -> Common:
    """The settings that most experiments share, and all policies."""
    runs = [run for experiment in experiments for run in experiment["runs"]]
    return Common(
        frames=_most(run["frames"] for run in runs),
        seeds=list(_most(tuple(run["seeds"]) for run in runs)),
        channel=_most(run["channel"] for run in runs),
        arrivals=_most(run["arrivals"] for run in runs),
        probe=_most(experiment["probe"] for experiment in experiments),
        constants=_constants(experiments[0].get("defaults", {})),
        policies=_policies(experiments),
    )


def own_settings(experiment: Manifest, common: Common) -> list[str]:
    """What an experiment varies, and its departures from the common settings: one line per grid, equal ones once."""
    several = len({tuple(run["policies"]) for run in experiment["runs"]}) > 1
    lines = []
    for run in experiment["runs"]:
        parts = [", ".join(run["policies"])] if several else []
        parts += [_assigned(key, values) for key, values in run["varied"].items()]
        parts += [_assigned(key, [value]) for key, value in run["scenario"].items()]
        if run["frames"] != common.frames:
            parts.append(f"{run['frames']:,} frames")
        if run["seeds"] != common.seeds:
            parts.append(seeds_text(run["seeds"]))
        parts += [run[process] for process in ("channel", "arrivals") if run[process] != getattr(common, process)]
        lines.append("; ".join(parts))
    if experiment["probe"] != common.probe:
        lines.append(f"measured by {experiment['probe']}")
    return [line for line in dict.fromkeys(lines) if line]


def seeds_text(seeds: Sequence[int]) -> str:
    """Number of seeds, and which."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]})"


def _most(values: Any) -> Any:
    """The most frequent value; the first of several."""
    return Counter(values).most_common(1)[0][0]


def _assigned(key: str, values: Sequence[Any]) -> str:
    text = ", ".join("none" if value is None else _shown(value) for value in values)
    return assignment(key, text) if key in PARAMETERS else f"{key} = {text}"


def _shown(value: Any) -> str:
    return f"({', '.join(map(value_text, value))})" if isinstance(value, list) else value_text(value)


def _constants(defaults: Mapping[str, Any]) -> list[Constant]:
    return [
        Constant(SYMBOLS[key].symbol, SYMBOLS[key].words, key, _with_unit(value, PARAMETERS[key].unit))
        for key, value in defaults.items()
        if key in PARAMETERS and value is not None
    ]


def _with_unit(value: Any, unit: str) -> str:
    if unit == "Hz" and not isinstance(value, list) and value >= 1e6:
        value, unit = value / 1e6, "MHz"
    return f"{_shortened(value)} {unit}".rstrip()


def _shortened(value: Any) -> str:
    """A value; of a list with one value per device, its ends."""
    if not isinstance(value, list):
        return value_text(value)
    return ", ".join(map(value_text, value[:2])) + f" ... {value_text(value[-1])}"


def _policies(experiments: Sequence[Manifest]) -> list[Policy]:
    users: dict[tuple[str, str], list[str]] = {}
    for experiment in experiments:
        for run in experiment["runs"]:
            for name, settings in run["policies"].items():
                titles = users.setdefault((name, settings), [])
                if experiment["name"] not in titles:
                    titles.append(experiment["name"])
    known = Counter(name for name, _ in users)
    return [
        Policy(name, settings, ", ".join(titles) if known[name] > 1 else "")
        for (name, settings), titles in users.items()
    ]


REPORT = "report.html"
_TEMPLATE = Path(__file__).with_name("report.html")


def write_report(folder: Path) -> Path:
    """Write the self-contained `report.html` of the experiments in a folder.

    Args:
        folder: where `publish` wrote.

    Returns:
        The page's path.

    Raises:
        MissingExtraError: Jinja2 is not installed.
        ValueError: the folder holds no experiment, or a file cannot be read; the message names it.
        OSError: the page cannot be written.
    """
    check_installed("jinja2", REPORT, "Jinja2", "experiments")
    from jinja2 import Environment, StrictUndefined

    experiments = read_manifests(folder)
    common = common_settings(experiments)
    for experiment in experiments:
        experiment["image"] = _image(folder, experiment["figure"])
        experiment["own"] = own_settings(experiment, common)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    names = {experiment["name"] for experiment in experiments}
    environment.filters["text"] = lambda text: _marked_up(text, names)
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        chapters=[(name, list(part)) for name, part in groupby(experiments, key=lambda each: each["chapter"])],
        common=common,
        seeds=seeds_text(common.seeds),
        versions=common_versions(experiment["versions"] for experiment in experiments),
        codes=sorted({experiment["code"] for experiment in experiments}),
        shortened=sorted({experiment.get("shortened", "") for experiment in experiments} - {""}),
        rules=(BOLD_RULE, SETTLED_RULE),
        failed={cell for experiment in experiments for cell in experiment["failed"]},
    )
    path = folder / REPORT
    with whole_file(path) as file:
        file.write(page.encode())
    return path


def _marked_up(text: str, names: Collection[str]) -> Any:
    """A text as safe markup, with subscripts as in P_q, `code`, and links to experiments by their names."""
    from markupsafe import Markup, escape

    safe = re.sub(r"\b([A-Zdfv])_([A-Za-z]+)\b", r"\1<sub>\2</sub>", str(escape(text)))

    def code(found: re.Match[str]) -> str:
        shown = f"<code>{found[1]}</code>"
        return f'<a href="#{found[1]}">{shown}</a>' if found[1] in names else shown

    return Markup(re.sub("`([^`]+)`", code, safe))


def manifests_in(folder: Path) -> list[Path]:
    """The manifests of a folder's experiments."""
    return sorted(folder.glob(f"*{MANIFEST}"))


def read_manifests(folder: Path) -> list[dict[str, Any]]:
    """The manifests of a folder's experiments, chapter by chapter in the order of the catalogue.

    Raises:
        ValueError: there is none, or one cannot be read.
    """
    paths = manifests_in(folder)
    if not paths:
        raise ValueError(f"{folder}: holds no experiment; `quedge reproduce --out {folder}` would write some")
    manifests: list[dict[str, Any]] = []
    for path in paths:
        try:
            manifests.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: cannot be read, so remove it: {error}") from None
        if isinstance(manifests[-1], dict):
            manifests[-1].setdefault("result", None)  # older manifests have none
        missing = _KEYS - set(manifests[-1] if isinstance(manifests[-1], dict) else ())
        if missing:
            raise ValueError(f"{path}: is no experiment's: {min(missing)} is missing")
    chapters = {name: place for place, name in reversed(list(enumerate(each["chapter"] for each in manifests)))}
    chapters |= {"The paper": -2, "Beyond the paper": -1}
    return sorted(manifests, key=lambda each: (chapters[each["chapter"]], each["position"], each["name"]))


_KEYS = {
    "name", "title", "chapter", "position", "caption", "remarks", "probe", "runs", "cells", "failed", "code",
    "versions", "figure", "table",
}  # fmt: skip


class _Image(NamedTuple):
    """A figure as a data URL, and its width (pixels)."""

    address: str
    width: int


def _image(folder: Path, name: str | None) -> _Image | None:
    if name is None:
        return None
    content = content_of(folder / name)
    width = int.from_bytes(content[16:20], "big")  # in a PNG's header
    return _Image(f"data:image/png;base64,{base64.b64encode(content).decode()}", width)
