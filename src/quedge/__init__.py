"""quedge: who offloads, with which power, in every frame - solved to proven optimality."""

import typing as _typing

from quedge.allocation.allocator import Allocator
from quedge.allocation.frame_budget import FrameBudget
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import NomaSca
from quedge.allocation.tdma import Tdma
from quedge.model.frame import Decision, Frame, Status
from quedge.model.scenario import Scenario
from quedge.policy.auto import Auto
from quedge.policy.baselines import AllLocal, AllOffload, BestPair, BestSingle, Random
from quedge.policy.coordinate_descent import LyCd
from quedge.policy.decide import decide
from quedge.policy.exact import Exact
from quedge.policy.lagrangian import Lagrangian
from quedge.policy.lydroo import DROO, EQUIVARIANT, LYDROO_PUBLIC, Inputs, Lydroo, LydrooAgent, TrainedLydroo
from quedge.policy.lydroo.features import device_features
from quedge.policy.lydroo.network import MlpActor, SharedActor
from quedge.policy.lydroo.quantiser import NearestNeighbours, NoisyCopy, NoisyOrderPreserving, OrderPreserving
from quedge.policy.myopic import Myopic, MyopicSaving
from quedge.policy.policy import Learner, Policy
from quedge.policy.rounding import RandomRounding
from quedge.region.boundary import capacity_boundary
from quedge.region.capacity import capacity
from quedge.region.least_power import least_power
from quedge.region.sampling import Precision
from quedge.simulation.processes import ArrivalProcess, ChannelProcess, ExponentialArrivals, Recorded, RicianFading
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace

if _typing.TYPE_CHECKING:  # else they are loaded when they are asked for: see __getattr__
    from quedge.service.client.async_client import AsyncClient as AsyncClient
    from quedge.service.client.client import Client as Client
    from quedge.service.client.conversation import ReportRefused as ReportRefused
    from quedge.service.client.conversation import ServiceUnavailable as ServiceUnavailable

__version__ = "0.1.0"

__all__ = [
    "DROO", "EQUIVARIANT", "LYDROO_PUBLIC", "AllLocal", "AllOffload", "Allocator", "ArrivalProcess", "Auto", "BestPair",
    "BestSingle", "ChannelProcess", "Decision", "Exact", "ExponentialArrivals", "Frame", "FrameBudget", "Inputs",
    "Lagrangian", "Learner", "LyCd", "Lydroo", "LydrooAgent", "MlpActor", "Myopic", "MyopicSaving", "NearestNeighbours",
    "NoisyCopy", "NoisyOrderPreserving", "NomaGreedy", "NomaSca", "OrderPreserving", "Policy", "Precision", "Random",
    "RandomRounding", "Recorded", "RicianFading", "Scenario", "SharedActor", "Status", "Tdma", "Trace", "TrainedLydroo",
    "capacity", "capacity_boundary", "decide", "device_features", "least_power", "simulate",
]  # fmt: skip

_OF_THE_SERVICE = {
    "AsyncClient": "client.async_client",
    "Client": "client.client",
    "ReportRefused": "client.conversation",
    "ServiceUnavailable": "client.conversation",
}


def __getattr__(name: str) -> _typing.Any:
    """The service's clients, whose library is loaded when one of them is asked for."""
    if name not in _OF_THE_SERVICE:
        raise AttributeError(f"module 'quedge' has no attribute {name!r}")
    from importlib import import_module

    from quedge.errors import check_installed

    check_installed("grpc", f"quedge.{name}", "grpcio", "serve")
    return getattr(import_module(f"quedge.service.{_OF_THE_SERVICE[name]}"), name)
