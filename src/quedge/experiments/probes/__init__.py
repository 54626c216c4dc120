"""What can be found out about a cell of an experiment."""

from quedge.experiments.probes.allocation_time import AllocationTime
from quedge.experiments.probes.largest_stable_rate import LargestStableRate
from quedge.experiments.probes.simulation import Simulation

__all__ = ["AllocationTime", "LargestStableRate", "Simulation"]
