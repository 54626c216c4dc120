"""What each policy has more or less than the reference."""

from __future__ import annotations

from typing import Any

from quedge.errors import not_allowed, one_of
from quedge.experiments.figures import style
from quedge.experiments.figures.plot.panel import label_of, panel
from quedge.simulation.comparison import Comparison


def difference(comparison: Comparison, measure: str = "data_queue_mbit", ax: Any = None) -> Any:
    """Draw the paired differences of policies to the first one, with their 95 % intervals; none contains no difference.

    Args:
        comparison: what `quedge.compare` gave for two policies or more.
        measure: as `Summary` names it.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes.

    Raises:
        ValueError: an argument is not allowed.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> policies = {"exact": quedge.Exact(), "best-single": quedge.BestSingle()}
        >>> compared = quedge.compare(policies, quedge.Scenario(devices=3), frames=50, seeds=3)
        >>> ax = quedge.plot.difference(compared, "power_w")
    """
    if not isinstance(comparison, Comparison) or len(comparison.summaries) < 2:
        raise not_allowed("comparison", comparison, "a Comparison of at least two policies")
    names = [name for name in comparison.summaries if name != comparison.reference]
    found = {name: comparison.differences(name) for name in names}
    allowed = [each for each in found[names[0]] if all(each in of for of in found.values())]
    if measure not in allowed:
        raise not_allowed("measure", measure, one_of(allowed))
    styles = style.styles_of(list(comparison.summaries))
    with panel(ax, height=0.9 + 0.3 * len(names)) as axes:
        for place, name in enumerate(names):
            of, look = found[name][measure], styles[name]
            axes.errorbar(
                of.mean, place, xerr=[[of.mean - of.low], [of.high - of.mean]], color=look.color, marker=look.marker,
                markersize=4.5, capsize=3.0, linewidth=1.4,
            )  # fmt: skip
        axes.axvline(0.0, color="0.45", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(f"{label_of(measure)}, less that of {comparison.reference}")
        style.style_axes(axes)
    return axes
