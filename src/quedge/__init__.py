"""quedge: who offloads, with which power, in every frame - solved to proven optimality."""

from quedge.allocation.allocator import Allocator
from quedge.allocation.noma_greedy import NomaGreedy
from quedge.allocation.noma_sca import NomaSca
from quedge.allocation.tdma import Tdma
from quedge.model.frame import Decision, Frame, Status
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, AllOffload, BestPair, BestSingle, Random
from quedge.policy.decide import decide
from quedge.policy.exact import Exact
from quedge.policy.lydroo import (
    Inputs,
    Lydroo,
    LydrooAgent,
    MlpActor,
    NearestNeighbours,
    NoisyOrderPreserving,
    OrderPreserving,
    SharedActor,
    TrainedLydroo,
)
from quedge.policy.policy import Learner, Policy
from quedge.simulation.processes import (
    ArrivalProcess,
    ChannelProcess,
    ExponentialArrivals,
    Recorded,
    RicianFading,
)
from quedge.simulation.simulate import simulate
from quedge.simulation.trace import Trace

__version__ = "0.1.0"

__all__ = [
    "AllLocal",
    "AllOffload",
    "Allocator",
    "ArrivalProcess",
    "BestPair",
    "BestSingle",
    "ChannelProcess",
    "Decision",
    "Exact",
    "ExponentialArrivals",
    "Frame",
    "Inputs",
    "Learner",
    "Lydroo",
    "LydrooAgent",
    "MlpActor",
    "NearestNeighbours",
    "NoisyOrderPreserving",
    "NomaGreedy",
    "NomaSca",
    "OrderPreserving",
    "Policy",
    "Random",
    "Recorded",
    "RicianFading",
    "Scenario",
    "SharedActor",
    "Status",
    "Tdma",
    "Trace",
    "TrainedLydroo",
    "decide",
    "simulate",
]
