"""What experiments have in common, said once, and what only one of them has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from quedge.experiments.symbols import SYMBOLS, assignment, value_text
from quedge.model.scenario import PARAMETERS

Manifest = Mapping[str, Any]


class Constant(NamedTuple):
    """A key of the scenario with the value that it has unless an experiment says otherwise."""

    symbol: str
    words: str
    key: str
    value: str


class Policy(NamedTuple):
    """A policy with its settings; where others of the same name have others, the experiments that these are of."""

    name: str
    settings: str
    only: str


class Common(NamedTuple):
    """What holds unless an experiment says otherwise.

    Attributes:
        frames: of a run, those of most grids.
        seeds: the same.
        channel: where most channel gains come from.
        arrivals: where most arrivals come from.
        probe: what is measured by in most experiments.
        constants: of the scenario.
        policies: all that ran.
    """

    frames: int
    seeds: list[int]
    channel: str
    arrivals: str
    probe: str
    constants: list[Constant]
    policies: list[Policy]


def common_settings(experiments: Sequence[Manifest]) -> Common:
    """What most experiments have, and all policies."""
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
    """What an experiment varies, and where it departs from what is common; a line a grid, those alike once."""
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
    """How many seeds, and which."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]})"


def _most(values: Any) -> Any:
    """The most frequent value; of several, the first."""
    return Counter(values).most_common(1)[0][0]


def _assigned(key: str, values: Sequence[Any]) -> str:
    text = ", ".join("none" if value is None else _shown(value) for value in values)
    return assignment(key, text) if key in PARAMETERS else f"{key} = {text}"


def _shown(value: Any) -> str:
    return f"({', '.join(map(value_text, value))})" if isinstance(value, list) else value_text(value)


def _constants(defaults: Mapping[str, Any]) -> list[Constant]:
    return [
        Constant(
            SYMBOLS[key].symbol,
            SYMBOLS[key].words,
            key,
            _with_unit(value, PARAMETERS[key].unit),
        )
        for key, value in defaults.items()
        if key in PARAMETERS and value is not None
    ]


def _with_unit(value: Any, unit: str) -> str:
    if unit == "Hz" and not isinstance(value, list) and value >= 1e6:
        value, unit = value / 1e6, "MHz"
    return f"{_shortened(value)} {unit}".rstrip()


def _shortened(value: Any) -> str:
    """A value; of a list with one a device, its ends."""
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
