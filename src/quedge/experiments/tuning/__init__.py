"""V and ν for a power budget."""

from quedge.experiments.tuning.search import search_ranges
from quedge.experiments.tuning.trials import GOALS, Tuning, TuningError
from quedge.experiments.tuning.tune import Setting, Tuned, tune

__all__ = ["GOALS", "Setting", "Tuned", "Tuning", "TuningError", "search_ranges", "tune"]
