"""How a run of an experiment is shorter than the experiment is meant to be, in words."""

from __future__ import annotations

from collections.abc import Iterable

from quedge.experiments.experiment import FULL, Experiment, Size


def shortened(experiment: Experiment, size: Size) -> str:
    """A sentence for whoever sees the numbers; empty where all of the experiment ran.

    Args:
        experiment: the experiment.
        size: how much of it was run.
    """
    full = experiment.full
    if full is None:
        return ""
    sizes = [(grid.sized(size), grid.sized(full)) for grid in experiment.grids]
    frames = [(ran.frames, meant.frames) for ran, meant in sizes if ran.frames < meant.frames]
    seeds = [(ran.seeds, meant.seeds) for ran, meant in sizes if ran.seeds < meant.seeds]
    parts: list[str] = []
    warnings: list[str] = []
    if frames:
        meant = _range(meant for _, meant in frames)
        whose = "the paper's " if experiment.chapter == "The paper" and meant == f"{FULL.frames:,}" else ""
        parts.append(f"{_range(ran for ran, _ in frames)} frames instead of {whose}{meant}")
        warnings.append("queues may not have settled")
    if seeds:
        fewest = min(ran for ran, _ in seeds)
        ran = "one seed" if fewest == 1 else f"{_range(ran for ran, _ in seeds)} seeds"
        parts.append(f"{ran} instead of {_range(meant for _, meant in seeds)}")
        if fewest == 1:
            warnings.append("one seed gives no interval")
    if not parts:
        return ""
    told = f"Shortened: {' and '.join(parts)}"
    return f"{told}; {', and '.join(warnings)}." if warnings else f"{told}."


def _range(numbers: Iterable[int]) -> str:
    different = sorted(set(numbers))
    return " to ".join(f"{number:,}" for number in different[:: max(len(different) - 1, 1)])
