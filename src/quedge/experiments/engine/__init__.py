"""Running the jobs of experiments, each once, on processes or a cluster."""

from quedge.experiments.engine.execution import Ran, run_missing
from quedge.experiments.engine.process_pool import ProcessPool
from quedge.experiments.engine.store import Store
from quedge.experiments.engine.workers import Workers

__all__ = ["ProcessPool", "Ran", "Store", "Workers", "run_missing"]
