"""The paper's numbers, as marks beside ours."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files

from quedge.experiments.presentation import Mark
from quedge.experiments.rows import label_of
from quedge.policy.registry import LYDROO_NOMA

_TABLE2_POLICIES = {"tdma": "TDMA", "noma_heuristic": "NOMA, greedy", "noma_sca": "SCA, CVXPY"}
"""Our names of the paper's schemes TDMA, NOMA_Heuristic and NOMA_SCA; it solves the last by CVXPY."""


def table2_marks() -> list[Mark]:
    """Table II: mean execution times (µs) by number of devices, one line per allocator."""
    return [
        Mark(policy, float(line["devices"]), "time_us", float(line[column]))
        for line in _lines("table2_execution_time_us.csv")
        for column, policy in _TABLE2_POLICIES.items()
    ]


def table3_marks() -> list[Mark]:
    """Table III: the paper's learning agent at values of ν."""
    return list(_marks("table3_nu.csv", "nu"))


def table4_marks() -> list[Mark]:
    """Table IV: the paper's learning agent at values of V."""
    return list(_marks("table4_v.csv", "v"))


def figure7_marks() -> list[Mark]:
    """Figure 7 in the text: the paper's learning agent at values of P_q."""
    return [
        mark._replace(measure="power_w" if mark.measure == "average_power_w" else mark.measure)
        for mark in _marks("figure7_pqc_power.csv", "pqc_power_w")
    ]


def arrival_rate_marks(figure: int) -> list[Mark]:
    """Figure 4 or 5 in the text: rates where they start, and levels that hold at every arrival rate."""
    return [
        Mark(
            line["policy"],
            float(line["arrival_rate_mbps"]) if line["arrival_rate_mbps"] else None,
            "weighted_rate_mbps",
            float(line["weighted_rate_mbps"]),
        )
        for line in _lines("text_arrival_rates.csv")
        if int(line["figure"]) == figure
    ]


def by_line(marks: list[Mark]) -> list[Mark]:
    """Marks for a figure in which the key's value stands for a line, not a place."""
    return [mark._replace(line=label_of(mark.x), x=None) for mark in marks]


def _marks(name: str, key: str) -> Iterator[Mark]:
    for line in _lines(name):
        for measure, text in line.items():
            if measure != key and text:
                yield Mark(LYDROO_NOMA.name, float(line[key]), measure, float(text))


def _lines(name: str) -> Iterator[Mapping[str, str]]:
    yield from csv.DictReader((files("quedge") / "data" / "paper" / name).read_text(encoding="utf-8").splitlines())
