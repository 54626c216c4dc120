"""Probes: what can be measured in a job."""

from quedge.experiments.probes.allocation_time import AllocationTime
from quedge.experiments.probes.largest_stable_rate import LargestStableRate
from quedge.experiments.probes.simulation import Simulation

__all__ = ["AllocationTime", "LargestStableRate", "Simulation"]
