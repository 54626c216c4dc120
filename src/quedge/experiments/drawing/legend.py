"""The legend of a figure: every line once, and what is the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quedge.experiments.presentation import POLICY
from quedge.experiments.reading.rows import OURS, Row


class Legend:
    """What has been drawn, by name."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._drawn: dict[str, Any] = {}

    def add(self, name: str, line: Any) -> None:
        """A line of ours."""
        self._drawn.setdefault(name, line)

    def add_paper(self) -> None:
        """Marks of the paper's; they have the colour of the line that they belong to."""
        from matplotlib.lines import Line2D

        cross = Line2D([], [], color="0.3", linestyle="none", marker="x", markersize=8.0, markeredgewidth=1.8)
        self._drawn.setdefault("the paper", cross)

    def place(self, drawn: Any) -> None:
        """Put it above the figure, as wide as that allows."""
        if not self._drawn:
            return
        if "the paper" in self._drawn:  # last
            self._drawn["the paper"] = self._drawn.pop("the paper")
        longest = max(len(name) for name in self._drawn)
        per_line = max(1, int(drawn.get_figwidth() / (0.75 + 0.075 * longest)))
        drawn.legend(
            list(self._drawn.values()), list(self._drawn), loc="outside upper center",
            ncols=min(len(self._drawn), per_line), frameon=False, handlelength=3.2, fontsize=9,
        )  # fmt: skip


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The names of the lines in the order in which they first appear, ours first."""
    return list(dict.fromkeys(row.line for row in sorted(rows, key=lambda row: row.source != OURS)))


def shown_name(keys: Sequence[str], name: str, line: Sequence[Row], rows: Sequence[Row]) -> str:
    """A line's name, with the key where it stands for one's value, and the length of runs that are not the longest."""
    name = name if len(keys) > 1 or keys[0] == POLICY else f"{keys[0]} = {name}"
    longest = max(row.frames for row in rows)
    most, least = max(row.frames for row in line), min(row.frames for row in line)
    if least == longest:
        return name
    return f"{name} ({most:,} frames)" if least == most else f"{name} ({most:,} to {least:,} frames)"
