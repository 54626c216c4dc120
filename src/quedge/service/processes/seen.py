"""What several processes show, as one service shows it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from quedge.service.monitoring.endpoints import METRICS_TEXT, TEXT, Endpoints, Reply, page

Shown = Mapping[int, Reply | str]
"""What each process replies, by its number; or why it does not, in words."""
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (.*)$")
_OF_PROBES = {"/healthz": "well", "/readyz": "ready", "/startupz": "started"}


def endpoints_of_all(ask: Callable[[str], Shown], own: Callable[[], str]) -> Endpoints:
    """The endpoints of a service of several processes.

    Args:
        ask: has all processes reply to a path; it is called from any thread.
        own: gives what the process that looks after the others counts, as Prometheus reads it.
    """
    shown = page()

    def metrics() -> Reply:
        texts = {number: reply.body.decode() for number, reply in ask("/metrics").items() if isinstance(reply, Reply)}
        return Reply(200, METRICS_TEXT, (merged_metrics(texts) + own()).encode())

    def live() -> Reply:
        replies = [reply for reply in ask("/live.json").values() if isinstance(reply, Reply)]
        if not replies:
            return Reply(503, TEXT, b"no process shows anything yet\n")
        return Reply(200, "application/json", merged_live([reply.body for reply in replies]).encode())

    def probe(path: str) -> Reply:
        return merged_probe(ask(path), _OF_PROBES[path])

    return {
        "/": lambda: shown,
        "/live.json": live,
        "/metrics": metrics,
        **{path: partial(probe, path) for path in _OF_PROBES},
    }


def merged_probe(shown: Shown, all_well: str) -> Reply:
    """200 where all processes say so; else 503, with the process that does not and what it says."""
    wrong, lines = [], [all_well]
    for number, reply in sorted(shown.items()):
        said = reply if isinstance(reply, str) else reply.body.decode().rstrip("\n")
        if isinstance(reply, str) or reply.status != 200:
            wrong.append(f"process {number}: {said}")
        else:
            lines += said.splitlines()[1:]
    told = wrong or lines
    return Reply(503 if wrong else 200, TEXT, ("\n".join(told) + "\n").encode())


def merged_metrics(texts: Mapping[int, str]) -> str:
    """Metrics in Prometheus' text format, each with the label `process`, and each family once."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for number, text in sorted(texts.items()):
        family = ""
        for line in text.splitlines():
            if line.startswith("# "):
                _, what, family = line.split(" ", 3)[:3]
                head = heads.setdefault(family, [])
                if not any(before.startswith(f"# {what} ") for before in head):
                    head.append(line)
            elif (sample := _SAMPLE.match(line)) is not None:
                name, labels, value = sample.groups()
                among = f'process="{number}"' + (f",{labels}" if labels else "")
                samples.setdefault(family, []).append(f"{name}{{{among}}} {value}")
    return "".join(f"{line}\n" for family, head in heads.items() for line in (*head, *samples.get(family, [])))


def own_metrics(ready: Mapping[int, bool], restarts: Mapping[int, int], moves: int) -> str:
    """What the process that looks after the others counts, as Prometheus reads it.

    Args:
        ready: whether each process takes reports, by its number.
        restarts: how often each was begun again, likewise.
        moves: how many cells have moved.
    """
    told = {
        "quedge_process_ready": ("gauge", "Whether the process takes reports: 1, or 0.", ready),
        "quedge_process_restarts_total": ("counter", "Times that the process ended and was begun again.", restarts),
    }
    lines = []
    for name, (kind, meaning, values) in told.items():
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        lines += [f'{name}{{process="{number}"}} {int(value)}' for number, value in values.items()]
    moved = "quedge_cell_moves_total"
    lines += [f"# HELP {moved} Cells that moved to the process that their stream came to.", f"# TYPE {moved} counter"]
    return "\n".join([*lines, f"{moved} {moves}\n"])


def merged_live(bodies: list[bytes]) -> str:
    """What the page shows: all base stations, and of what is counted for the service the sum."""
    parts: list[dict[str, Any]] = [json.loads(body) for body in bodies]
    told = dict(parts[0])
    told["state"] = next((part["state"] for part in parts if part["state"] != "ready"), "ready")
    told["second"] = max(part["second"] for part in parts)
    refused: Counter[str] = Counter()
    for part in parts:
        refused.update(part["refused"])
        told["service"] = told["service"] or part["service"]
    told["refused"] = dict(refused)
    stations = []
    for part in parts:
        later = told["second"] - part["second"]  # each process counts seconds from its own beginning
        for station in part["base_stations"]:
            points = [[point[0] + later, *point[1:]] for point in station["points"]]
            stations.append({**station, "points": points})
    told["base_stations"] = sorted(stations, key=lambda station: station["name"])
    return json.dumps(told, allow_nan=False)
