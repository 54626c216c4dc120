"""V and ν for a power budget."""

from quedge.experiments.tuning.search import Setting, Tuned, search_ranges, tune
from quedge.experiments.tuning.trials import GOALS, Tuning, TuningError

__all__ = ["GOALS", "Setting", "Tuned", "Tuning", "TuningError", "search_ranges", "tune"]
