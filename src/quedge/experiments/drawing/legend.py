"""The legend of a figure: every line once, and what is the paper's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from quedge.experiments.drawing.style import in_figure
from quedge.experiments.presentation import POLICY
from quedge.experiments.reading.rows import OURS, Row
from quedge.experiments.symbols import SYMBOLS, assignment

PAPER_POINT, PAPER_MEAN, PAPER_LEVEL = "the paper", "the paper's mean", "the paper's level"
MEAN_MARKER = 4  # Matplotlib's CARETLEFT: its tip is the place
LEVEL_DASHES: Any = (0, (2.4, 1.6))
_PAPER_LOOKS: dict[str, tuple[Any, Any]] = {
    PAPER_POINT: ("x", "none"), PAPER_MEAN: (MEAN_MARKER, "none"), PAPER_LEVEL: ("", LEVEL_DASHES),
}  # fmt: skip
_INCH_OF_A_LETTER, _INCHES_BESIDE = 0.072, 0.78  # of the legend's font; handle and gaps


class Legend:
    """What has been drawn, by name."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._drawn: dict[str, Any] = {}

    def add(self, name: str, line: Any) -> None:
        """A line of ours."""
        self._drawn.setdefault(name, line)

    def add_paper(self, name: str = PAPER_POINT) -> None:
        """Marks of the paper's, points, means or levels; they have the colour of the line that they belong to."""
        from matplotlib.lines import Line2D

        marker, dashes = _PAPER_LOOKS[name]
        sample = Line2D([], [], color="0.3", linestyle=dashes, marker=marker, markersize=7.5, markeredgewidth=1.6)
        self._drawn.setdefault(name, sample)

    def place(self, drawn: Any) -> None:
        """Put it above the figure, as wide as that allows."""
        if not self._drawn:
            return
        papers = [name for name in (PAPER_POINT, PAPER_MEAN, PAPER_LEVEL) if name in self._drawn]
        names = [*(name for name in self._drawn if name not in papers), *papers]  # the paper's last
        longest = max(len(name) for name in names)
        per_line = max(1, int(drawn.get_figwidth() / (_INCHES_BESIDE + _INCH_OF_A_LETTER * longest)))
        lines = -(-len(names) // per_line)
        drawn.legend(
            [self._drawn[name] for name in names], [in_figure(name) for name in names], loc="outside upper center",
            ncols=-(-len(names) // lines), frameon=False, handlelength=3.2, fontsize=9,
        )  # fmt: skip


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The names of the lines in the order in which they first appear, ours first."""
    return list(dict.fromkeys(row.line for row in sorted(rows, key=lambda row: row.source != OURS)))


def shown_name(keys: Sequence[str], name: str, line: Sequence[Row], rows: Sequence[Row]) -> str:
    """A line's name: keys by their symbols, and the length of runs that are not the longest."""
    name = name_with_symbols(keys, name)
    longest = max(row.frames for row in rows)
    most, least = max(row.frames for row in line), min(row.frames for row in line)
    if least == longest:
        return name
    return f"{name} ({most:,} frames)" if least == most else f"{name} ({most:,} to {least:,} frames)"


def name_with_symbols(keys: Sequence[str], name: str) -> str:
    """A line's name as rows have it, with the symbols and units of the keys that it stands for.

    Args:
        keys: what the line stands for.
        name: the value of the only key, or values in order, of which numbers follow their key.
    """
    if len(keys) == 1:
        key = keys[0]
        return name if key == POLICY or key not in SYMBOLS or not _is_number(name) else assignment(key, name)
    symbols = "|".join(key for key in keys if key in SYMBOLS)
    return re.sub(rf"\b({symbols}) = (\([^)]*\)|[^,]+)", lambda found: assignment(found[1], found[2]), name)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return name.startswith("(")  # a value for each device
    return True
