"""What post-quantum security costs one cell, on one page: every level, with sources, as Markdown or HTML."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from quedge.errors import MissingExtraError
from quedge.model.scenario import Scenario
from quedge.model.security import SUITE_KEYS, suite_of
from quedge.policy.exact import Exact
from quedge.pqc.costs import Effort, Traffic, effort_of, traffic_of
from quedge.pqc.profiles import MissingNumberError, Profiles
from quedge.pqc.suite import SUITES
from quedge.region.capacity import capacity
from quedge.region.sampling import Precision
from quedge.simulation.estimates import Estimate, estimate, with_margin
from quedge.simulation.run import simulate

HYBRID = {"suite": "level3", "kem": "X25519MLKEM768"}
REKEY_FRAMES = (1, 10, 100, 1000)
_PRECISION = Precision(tolerance=5e-3, samples=4_000)
_BITS_PER_MBIT = 1e6
_J_PER_WH = 3600.0


class Level(NamedTuple):
    """What one level costs.

    Attributes:
        name: what it is called here.
        scenario: the cell secured by it.
        traffic: what it sends; None without security.
        effort: what it asks of the device; None without security.
        queue: mean data queue (Mbit).
        power: mean power of a device (W).
        offload: share of devices that offload.
        most_mbps: the load that no policy exceeds (Mbit/s a device); None where the solvers are not installed.
    """

    name: str
    scenario: Scenario
    traffic: Traffic | None
    effort: Effort | None
    queue: Estimate
    power: Estimate
    offload: float
    most_mbps: float | None


class Settings(NamedTuple):
    """How a report is made.

    Attributes:
        device: which device runs the algorithms.
        battery_wh: battery of a device (Wh), whose life is told.
        frames: frames of each run.
        seeds: number of runs of each level.
    """

    device: str
    battery_wh: float
    frames: int
    seeds: int


def levels_of(scenario: Scenario, settings: Settings, progress: Callable[[str], None] | None = None) -> list[Level]:
    """Measure a cell without security, at each level, and with a hybrid key exchange.

    A scenario that names a suite keeps what it says of framing, records and rekeying.

    Raises:
        ValueError: a bad scenario or setting.
        MissingNumberError: a number that no source gives.
    """
    own = {key: getattr(scenario, key) for key in SUITE_KEYS if key not in ("suite", "device", "kem", "signature")}
    without: dict[str, Any] = dict.fromkeys(SUITE_KEYS)
    plain = dataclasses.replace(scenario, **without)
    secured: dict[str, dict[str, Any]] = {name: {"suite": name} for name in SUITES}
    secured["level3, hybrid"] = HYBRID
    found = []
    for name, keys in {"no security": None, **secured}.items():
        if progress is not None:
            progress(name)
        cell = plain if keys is None else dataclasses.replace(plain, **(own | keys), device=settings.device)
        found.append(_measured(name, cell, settings))
    return found


def _measured(name: str, scenario: Scenario, settings: Settings) -> Level:
    summaries = [simulate(scenario, Exact(), settings.frames, seed).summary() for seed in range(settings.seeds)]
    traffic = effort = None
    if scenario.suite is not None:
        suite = suite_of({key: getattr(scenario, key) for key in SUITE_KEYS})
        traffic = traffic_of(suite, scenario.profiles)
        effort = effort_of(suite, settings.device, scenario.profiles)
    try:
        most = capacity(scenario, precision=_PRECISION)
        most_mbps = most.upper.value * most.mean_rate_mbps
    except MissingExtraError:
        most_mbps = None
    return Level(
        name,
        scenario,
        traffic,
        effort,
        estimate([each.data_queue_mbit for each in summaries]),
        estimate([each.power_w for each in summaries]),
        sum(each.offload_ratio for each in summaries) / len(summaries),
        most_mbps,
    )


class Table(NamedTuple):
    """A table: its heading and rows, of texts; the first column has names."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


class Picture(NamedTuple):
    """A picture: PNG, and what it shows."""

    png: bytes
    shows: str


Part = str | Table | Picture
"""A paragraph, or a heading that begins with `#`, a table, or a picture."""


def report_of(scenario: Scenario, settings: Settings, levels: Sequence[Level], pictures: bool = True) -> list[Part]:
    """The report's parts, in their order."""
    profiles = scenario.profiles
    load = float(scenario.per_device("arrival_rate_mbps").mean())
    mbit = _offloaded_mbit(levels)
    parts: list[Part] = [
        "# What post-quantum security costs this cell",
        f"{scenario.devices} devices of {load:g} Mbit/s, on a {settings.device}; frames of {scenario.frame_s:g} s. "
        f"Each row is the exact optimum of {settings.seeds} runs of {settings.frames:,} frames, means over their "
        "second halves with 95 % intervals. An offloading frame carries "
        f"{mbit:.3g} Mbit in the mean; powers of the module are at that.",
        "## Levels",
        _costs(levels, mbit, scenario.frame_s),
        "Encryption is paid with classical keys, too. What is there because of post-quantum keys is the key exchange, "
        "and a signature of every frame where that is asked for. η is the share of task bits in what is sent.",
        "## What the cell loses",
        _effects(levels, settings),
        "A battery's life is its energy over the mean power of a device that does nothing else.",
    ]
    if pictures:
        parts += [_picture_of_levels(levels, mbit, scenario.frame_s)]
    parts += ["## How often keys are exchanged", _rekeying(levels, mbit, scenario.frame_s)]
    parts += ["## On other devices", _devices(levels, mbit, scenario.frame_s, profiles)]
    parts += [
        "A dash: no source gives a number that is needed, or the device does not keep up. Where several builds of one "
        "algorithm are known for a device, the table below has them all: so far do sources differ.",
        _builds(profiles, settings.device),
        "## Sources",
        *sorted({f"{what}: {source}" for level in levels for what, source in _sources(level)}),
    ]
    return parts


def _offloaded_mbit(levels: Sequence[Level]) -> float:
    """Data of an offloading device in a frame, without security (Mbit)."""
    plain = levels[0].scenario
    trace = simulate(plain, Exact(), 1000, 0)
    sent = trace.rate_mbps[trace.offload]
    return float(sent.mean() * plain.frame_s) if sent.size > 0 else float(plain.per_device("arrival_rate_mbps").mean())


def _costs(levels: Sequence[Level], mbit: float, frame_s: float) -> Table:
    rows = []
    for level in levels:
        if level.traffic is None or level.effort is None:
            rows.append([level.name, *["-"] * 6])
            continue
        bits, power = mbit * _BITS_PER_MBIT, level.effort.power(mbit * _BITS_PER_MBIT, frame_s)
        share = level.effort.cpu_share(bits, frame_s)
        rows.append([
            level.name,
            f"{level.traffic.payload_factor(bits):.5f}",
            f"{level.traffic.rekey_bytes:,}",
            f"{1e3 * sum(power):.3g}",
            f"{1e3 * power.bits:.3g}",
            f"{1e3 * (power.rekey + power.frame_signature):.3g}",
            f"{share:.1%}" if share <= 1.0 else f"{share:.0%}: too slow",
        ])  # fmt: skip
    names = "η", "key exchange (bytes)", "P_q (mW)", "encryption", "because of PQC", "of the processor"
    return Table(("level", *names), rows)


def _effects(levels: Sequence[Level], settings: Settings) -> Table:
    rows = [
        [
            level.name,
            with_margin(level.queue),
            with_margin(level.power),
            f"{level.offload:.3f}",
            "-" if level.most_mbps is None else f"{level.most_mbps:.3f}",
            f"{settings.battery_wh * _J_PER_WH / level.power.mean / 86400.0:.2f}" if level.power.mean > 0.0 else "-",
        ]
        for level in levels
    ]
    life = f"life of {settings.battery_wh:g} Wh (days)"
    return Table(("level", "queue (Mbit)", "power (W)", "offloading", "no policy more than (Mbit/s)", life), rows)


def _rekeying(levels: Sequence[Level], mbit: float, frame_s: float) -> Table:
    """Power because of PQC (mW) and payload factor by the number of frames between key exchanges."""
    rows = []
    for level in levels:
        if level.scenario.suite is None:
            continue
        row = [level.name]
        for frames in REKEY_FRAMES:
            try:
                keys = {key: getattr(level.scenario, key) for key in SUITE_KEYS}
                suite = suite_of(keys | {"rekey_frames": frames})
                power = effort_of(suite, str(level.scenario.device), level.scenario.profiles).power(
                    mbit * _BITS_PER_MBIT, frame_s
                )
                share = traffic_of(suite, level.scenario.profiles).payload_factor(mbit * _BITS_PER_MBIT)
                row.append(f"{1e3 * (power.rekey + power.frame_signature):.3g}, {share:.4f}")
            except ValueError:  # more than one key may encrypt
                row.append("-")
        rows.append(row)
    heading = ("level", *(f"K = {frames}: mW, η" for frames in REKEY_FRAMES))
    return Table(heading, rows)


def _devices(levels: Sequence[Level], mbit: float, frame_s: float, profiles: Profiles) -> Table:
    """P_q (mW) of each level on each device."""
    rows = []
    for device in profiles.devices:
        row = [device.name]
        for level in levels[1:]:
            try:
                suite = suite_of({key: getattr(level.scenario, key) for key in SUITE_KEYS})
                effort = effort_of(suite, device.name, profiles)
                fits = effort.cpu_share(mbit * _BITS_PER_MBIT, frame_s) <= 1.0
                row.append(f"{1e3 * sum(effort.power(mbit * _BITS_PER_MBIT, frame_s)):.3g}" if fits else "-")
            except MissingNumberError:
                row.append("-")
        rows.append(row)
    return Table(("P_q (mW)", *(level.name for level in levels[1:])), rows)


def _builds(profiles: Profiles, device: str) -> Table:
    """Cycles a byte of every authenticated encryption that is known on a device's core."""
    runs = profiles.device("device", device)
    rows = []
    for algorithm in profiles.algorithms:
        if algorithm.kind != "aead":
            continue
        try:
            row = profiles.counted(runs, algorithm, "byte")
        except MissingNumberError:
            continue
        rows.append([algorithm.name, f"{row.cycles:g}", row.build or "-"])
    return Table((f"encryption on {runs.name}", "cycles a byte", "build"), rows)


def _sources(level: Level) -> Iterator[tuple[str, str]]:
    for each in (level.traffic, level.effort):
        yield from () if each is None else each.sources


def _picture_of_levels(levels: Sequence[Level], mbit: float, frame_s: float) -> Picture:
    """Power of the module in its parts, and the queue, at each level."""
    from quedge.experiments.figures import style

    secured = [level for level in levels if level.effort is not None]
    figure = style.new_figure(9.0, 3.4)
    powers, queues = figure.subplots(1, 2)
    names = [level.name for level in secured]
    parts = [level.effort.power(mbit * _BITS_PER_MBIT, frame_s) for level in secured if level.effort is not None]
    left = [0.0] * len(parts)
    for part, label, colour in (("bits", "encryption", "0.75"), ("rekey", "key exchange", "0.25")):
        widths = [1e3 * getattr(power, part) for power in parts]
        powers.barh(names, widths, left=left, color=colour, label=label)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    powers.set_xlabel("power of the module (mW)")
    powers.legend(frameon=False)
    powers.invert_yaxis()
    means = [level.queue.mean for level in levels]
    margins = [level.queue.high - level.queue.mean if level.queue.values > 1 else 0.0 for level in levels]
    queues.errorbar(means, [level.name for level in levels], xerr=margins, fmt="o", color="0.1", capsize=3)
    queues.set_xlabel("data queue (Mbit)")
    queues.set_xlim(left=0.0)
    queues.invert_yaxis()
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return Picture(file.getvalue(), "Power of the module in its parts, and data queue, at each level")


def as_markdown(parts: Sequence[Part], picture_name: Callable[[int], str]) -> str:
    """The report as Markdown; a picture is linked by the name that it is written under."""
    lines, pictures = [], 0
    for part in parts:
        if isinstance(part, Table):
            lines.append(f"| {' | '.join(part.heading)} |\n|{'---|' * len(part.heading)}")
            lines[-1] += "".join(f"\n| {' | '.join(row)} |" for row in part.rows)
        elif isinstance(part, Picture):
            lines.append(f"![{part.shows}]({picture_name(pictures)})")
            pictures += 1
        else:
            lines.append(part)
    return "\n\n".join(lines) + "\n"


def as_html(parts: Sequence[Part]) -> str:
    """The report as one page that needs nothing beside it."""
    body = []
    for part in parts:
        if isinstance(part, Table):
            heading = "".join(f"<th>{html.escape(each)}</th>" for each in part.heading)
            rows = "".join(f"<tr>{''.join(f'<td>{html.escape(each)}</td>' for each in row)}</tr>" for row in part.rows)
            body.append(f'<div class="wide"><table><tr>{heading}</tr>{rows}</table></div>')
        elif isinstance(part, Picture):
            data = base64.b64encode(part.png).decode()
            body.append(f'<img alt="{html.escape(part.shows)}" src="data:image/png;base64,{data}">')
        elif part.startswith("#"):
            marks, _, text = part.partition(" ")
            body.append(f"<h{len(marks)}>{html.escape(text)}</h{len(marks)}>")
        else:
            body.append(f"<p>{html.escape(part)}</p>")
    return _PAGE.format(body="\n".join(body))


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>What post-quantum security costs this cell</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ margin: 0 auto; max-width: 62rem; padding: 1.5rem 1.2rem 3rem; font: 16px/1.5 system-ui, sans-serif; }}
  h2 {{ margin-top: 2.2rem; }} .wide {{ overflow-x: auto; }} img {{ max-width: 100%; height: auto; background: #fff; }}
  table {{ border-collapse: collapse; font-size: .92rem; }} p {{ overflow-wrap: anywhere; }}
  th, td {{ padding: .25rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #8886; }}
  th:first-child, td:first-child {{ text-align: left; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
