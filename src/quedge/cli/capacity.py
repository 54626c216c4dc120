"""`quedge capacity`: the largest load, or the least power, of any policy, and the edge of the capacity region."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from quedge.cli.compiling import explained_pause
from quedge.cli.options import (
    AsJson,
    ScenarioFile,
    Seed,
    Settings,
    integer_option,
    parse_path,
    positive_to,
    value_option,
)
from quedge.cli.progress import empty_table, output_console, print_note, progress_bars
from quedge.cli.traces import ChannelTrace, LayoutOption, read_traces
from quedge.cli.usage import refusing
from quedge.errors import check_installed, not_allowed, one_of
from quedge.files.atomic import check_folder_takes_files, whole_file
from quedge.files.scenario import checked_keys, read_scenario, toml_value
from quedge.model.scenario import Scenario
from quedge.region.boundary import EdgePoint, capacity_boundary
from quedge.region.capacity import Capacity, capacity
from quedge.region.least_power import LeastPower, least_power
from quedge.region.sampling import Precision
from quedge.region.support import ACCESS
from quedge.region.two_sided import Estimated, Progress

_MEASURES = {"power": "mean", "largest-power": "largest"}
_DIRECTION = "arrival_rate_mbps"
_TABLE, _FIGURE = "boundary.csv", "boundary.png"
_PERFECT = "the bounds are those of policies that know the true channel and cancel perfectly"


def capacity_of_scenario(
    scenario: ScenarioFile = None,
    settings: Settings = None,
    channel_trace: ChannelTrace = None,
    layout: LayoutOption = None,
    access: Annotated[
        str, typer.Option(help=f"How devices share the uplink: {', '.join(ACCESS)} (local computing only).")
    ] = "noma",
    direction: Annotated[
        str | None,
        typer.Option(
            metavar="arrival_rate_mbps=[...]", help="Rates in whose direction load grows; without it, the scenario's."
        ),
    ] = None,
    minimise: Annotated[
        str | None,
        typer.Option(help="Least power for the scenario's load instead: power (mean) or largest-power (one device's)."),
    ] = None,
    boundary: Annotated[
        str | None, typer.Option(metavar="A,B", help="The edge between two groups of devices, such as 0-4,5-9.")
    ] = None,
    points: Annotated[int, integer_option(2, 1_000, "Points of the edge.")] = 9,
    out: Annotated[Path | None, value_option(parse_path, "DIR", "Folder for the edge's table and figure.")] = None,
    tolerance: Annotated[
        float, value_option(positive_to(0.5), "SHARE", "Relative distance of the bounds on a sample.")
    ] = 1e-3,
    samples: Annotated[
        int | None, integer_option(2, 10**8, "Channels on which the bounds are judged; without it, 4,000 to 20,000.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Bound the largest load that any policy can carry within its power budgets, from both sides.

    Nobody carries more than the upper bound, even knowing the future; a stationary policy carries the lower one.
    """
    with refusing():
        _check_options(access, minimise, boundary, direction, out)
        traces = read_traces(channel_trace, None, layout)
        given = read_scenario(scenario, settings or (), traces.devices).scenario
        rates = None if direction is None else parse_direction(direction, given)
        groups = None if boundary is None else parse_groups(boundary, given.devices)
    how: dict[str, Any] = {
        "channel": traces.channel,
        "access": access,
        "precision": Precision(tolerance, samples, seed),
    }
    if groups is not None:
        with _searching() as told:
            edge = capacity_boundary(given, groups, points=points, progress=told, **how)
        _tell_edge(edge, str(boundary).split(","), out, as_json)
    elif minimise is not None:
        with _searching() as told:
            least = least_power(given, measure=_MEASURES[minimise], progress=told, **how)
        _tell_power(least, minimise, given, as_json)
    else:
        with _searching() as told:
            found = capacity(given, direction=rates, progress=told, **how)
        _tell_load(found, given, access, as_json)


@contextmanager
def _searching() -> Iterator[Progress]:
    """Refuse what the search refuses, and show on standard error how far it is."""
    with explained_pause(), refusing(), progress_bars() as bars:
        yield lambda where, cuts, lower, upper: bars(f"{where}, {lower:.4g} to {upper:.4g}", cuts)


def _check_options(
    access: str, minimise: str | None, boundary: str | None, direction: str | None, out: Path | None
) -> None:
    """Refuse names that mean nothing, options that do not go together, and a folder that takes no figure.

    Raises:
        ValueError: naming the option.
        MissingExtraError: a figure is asked for, and Matplotlib is not installed.
    """
    if access not in ACCESS:
        raise not_allowed("--access", access, one_of(ACCESS))
    if minimise is not None and minimise not in _MEASURES:
        raise not_allowed("--minimise", minimise, one_of(_MEASURES))
    chosen = {"--minimise": minimise, "--boundary": boundary, "--direction": direction}
    given = [option for option, value in chosen.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{given[1]}: is not allowed beside {given[0]}")
    if out is not None and boundary is None:
        raise ValueError("--out: is not allowed without --boundary")
    if out is not None:
        check_folder_takes_files(out)
        check_installed("matplotlib", "--out", "Matplotlib", "plot")


def parse_direction(text: str, scenario: Scenario) -> Sequence[float]:
    """Rates from `arrival_rate_mbps=...`, one a device.

    Raises:
        ValueError: naming the option.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if key != _DIRECTION or not equals:
        raise not_allowed("--direction", text, f"{_DIRECTION}=..., a number or a list with one number per device")
    rates = checked_keys("--direction", {_DIRECTION: toml_value(value)})[_DIRECTION]
    if isinstance(rates, list):
        return rates
    return [rates] * scenario.devices


def parse_groups(text: str, devices: int) -> tuple[list[int], list[int]]:
    """Two groups of devices from `A,B`, each of numbers and ranges joined by plus signs: `0-3+7,4-6`.

    Raises:
        ValueError: naming the option.
    """
    allowed = f"two groups of devices with a comma between them, numbered 0 to {devices - 1}, such as 0-3+7,4-6"
    groups = []
    for part in text.split(","):
        group: list[int] = []
        for item in part.split("+"):
            first, dash, last = item.strip().partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                raise not_allowed("--boundary", text, allowed)
            group.extend(range(int(first), int(last if dash else first) + 1))
        groups.append(group)
    if len(groups) != 2 or not all(groups) or max(map(max, groups)) >= devices:
        raise not_allowed("--boundary", text, allowed)
    return groups[0], groups[1]


def _tell_load(found: Capacity, scenario: Scenario, access: str, as_json: bool) -> None:
    rate = found.mean_rate_mbps
    if as_json:
        bounds = {
            name: {
                "factor": bound.value,
                "factor_ci95": bound.ci95,
                "rate_mbps": bound.value * rate,
                "rate_ci95_mbps": bound.ci95 * rate,
            }
            for name, bound in (("upper", found.upper), ("lower", found.lower), ("difference", found.difference))
        }
        multipliers = {
            name: getattr(found, name).tolist() for name in ("rate_price", "power_price", "rate_binds", "power_binds")
        }
        counts = {"gap": found.gap, "cuts": found.cuts, "frames": found.frames, "access": access}
        print(json.dumps({**bounds, **multipliers, **counts}, allow_nan=False))
        return
    console = output_console(piped_width=110)
    bounds_table = empty_table(("largest load", "times the rates", "mean rate, Mbit/s", ""), texts=(0, 3))
    for name, bound, meaning in (
        ("upper bound", found.upper, "no policy carries more"),
        ("lower bound", found.lower, "a stationary policy carries it"),
    ):
        bounds_table.add_row(name, _text(bound, 1.0), _text(bound, rate), meaning)
    console.print(bounds_table)
    table = empty_table(("device", "rate at the bound\nMbit/s", "q, per Mbit/s", "y, per W", "binds"), texts=(4,))
    for device, carried in enumerate(found.upper.value * found.direction_mbps):
        binds = [
            name for name, flags in (("rate", found.rate_binds), ("power budget", found.power_binds)) if flags[device]
        ]
        table.add_row(
            str(device), f"{carried:.4g}", f"{found.rate_price[device]:.4g}",
            f"{found.power_price[device]:.4g}", ", ".join(binds) or "-",
        )  # fmt: skip
    console.print(table)
    print_note(console, f"{access}, {found.frames:,} channels, {found.cuts} prices tried, gap {found.gap:.2%}")
    print_note(console, "q: what the factor loses by a Mbit/s more to carry; y: what it gains by a Watt more of budget")
    _print_imperfect(console, scenario)


def _tell_power(found: LeastPower, minimise: str, scenario: Scenario, as_json: bool) -> None:
    if as_json:
        bounds = {
            f"{name}_w": {"value": bound.value, "ci95": bound.ci95}
            for name, bound in (("lower", found.lower), ("upper", found.upper), ("difference", found.difference))
        }
        multipliers = {"rate_price": found.rate_price.tolist(), "power_share": found.power_share.tolist()}
        print(json.dumps({**bounds, **multipliers, "cuts": found.cuts, "frames": found.frames}, allow_nan=False))
        return
    console = output_console(piped_width=110)
    what = "mean over the devices" if minimise == "power" else "the largest device's"
    table = empty_table((f"least mean power, {what}", "W", ""), texts=(0, 2))
    table.add_row("lower bound", _text(found.lower, 1.0, 5), "no policy draws less")
    table.add_row("upper bound", _text(found.upper, 1.0, 5), "a stationary policy draws this")
    console.print(table)
    print_note(console, f"{found.frames:,} channels, {found.cuts} prices tried, gap {found.gap:.2%}")
    _print_imperfect(console, scenario)


def _tell_edge(edge: Sequence[EdgePoint], names: Sequence[str], out: Path | None, as_json: bool) -> None:
    rows = [
        dict(zip(_EDGE_COLUMNS, (*point.rates(point.upper), *point.rates(point.lower)), strict=True)) for point in edge
    ]
    if out is not None:
        _write_edge(edge, rows, names, out)
    if as_json:
        print(json.dumps(rows, allow_nan=False))
        return
    console = output_console(piped_width=110)
    headings = [f"{which}\n{name}, Mbit/s" for which in ("upper bound", "lower bound") for name in names]
    table = empty_table(headings, texts=())
    for row in rows:
        table.add_row(*(f"{value:.4f}" for value in row.values()))
    console.print(table)
    if out is not None:
        print_note(console, f"written: {out / _TABLE}, {out / _FIGURE}")


_EDGE_COLUMNS = ("upper_first_mbps", "upper_second_mbps", "lower_first_mbps", "lower_second_mbps")


def _write_edge(edge: Sequence[EdgePoint], rows: Sequence[dict[str, float]], names: Sequence[str], out: Path) -> None:
    from quedge.experiments.figures.boundary import draw_boundary

    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, _EDGE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with whole_file(out / _TABLE) as file:
        file.write(text.getvalue().encode())
    with whole_file(out / _FIGURE) as file:
        draw_boundary(edge, (names[0], names[1]), file)


def _print_imperfect(console: Any, scenario: Scenario) -> None:
    if np.any(scenario.per_device("estimate_error")) or scenario.residual_sic_share > 0.0:
        print_note(console, _PERFECT)


def _text(bound: Estimated, unit: float, digits: int = 4) -> str:
    interval = f" ± {bound.ci95 * unit:.{digits}f}" if bound.ci95 > 0.0 else ""
    return f"{bound.value * unit:.{digits}f}{interval}"
