"""Policies that know the prices of the largest load: finding them is their training."""

from __future__ import annotations

import time
from dataclasses import dataclass

from quedge.experiments.job import Trained
from quedge.experiments.probes.carried_load import job_precision
from quedge.model.scenario import Scenario
from quedge.policy.static import PlaceHolder, Static
from quedge.region.capacity import capacity
from quedge.simulation.processes import ArrivalProcess, ChannelProcess

_TOLERANCE = 1e-3


@dataclass(frozen=True)
class AtPrices:
    """The static optimum, or drift-plus-penalty started at it, on the channel of the job.

    Attributes:
        place_holder: whether it is the latter.
        samples: most channels on which the prices are judged, else as many as the run has frames.
    """

    place_holder: bool = False
    samples: int = 4_000

    def train(
        self, scenario: Scenario, frames: int, seed: int, channel: ChannelProcess, arrivals: ArrivalProcess
    ) -> Trained:
        """See `PolicyTrainer.train`."""
        began = time.process_time()
        precision = job_precision(channel, frames, self.samples, _TOLERANCE, seed)
        found = capacity(scenario, channel=channel, precision=precision)
        kind = PlaceHolder if self.place_holder else Static
        policy = kind(tuple(found.rate_price.tolist()), tuple(found.power_price.tolist()))
        return Trained(policy, found.frames, time.process_time() - began)
