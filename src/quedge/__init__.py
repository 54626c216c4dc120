"""quedge: who offloads, with which power, in every frame - solved to proven optimality.

Examples in descriptions take `import numpy as np`, `import quedge` and `rng = np.random.default_rng(0)` as there, and
`frame`, that of `quedge.Frame`.
"""

import typing as _typing

if _typing.TYPE_CHECKING:  # what is asked for is loaded when it is: see _loaded
    import quedge.plot as plot  # noqa: F401 - a module that `_loaded` imports, no name of `__all__`
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
    from quedge.policy.robust import Robust
    from quedge.policy.rounding import RandomRounding
    from quedge.policy.subchannels import ExactGroups, Ofdma, RoundRobin, StrongWeak
    from quedge.region.boundary import capacity_boundary
    from quedge.region.capacity import capacity
    from quedge.region.least_power import least_power
    from quedge.region.sampling import Precision
    from quedge.service.client.async_client import AsyncClient as AsyncClient
    from quedge.service.client.client import Client as Client
    from quedge.service.client.conversation import FreshStart as FreshStart
    from quedge.service.client.conversation import ReportRefused as ReportRefused
    from quedge.service.client.conversation import ServiceUnavailable as ServiceUnavailable
    from quedge.simulation.comparison import Comparison, compare
    from quedge.simulation.processes import ArrivalProcess, ChannelProcess, ExponentialArrivals, Recorded, RicianFading
    from quedge.simulation.run import simulate
    from quedge.simulation.trace import Trace

__version__ = "0.1.0"

__all__ = [
    "DROO",
    "EQUIVARIANT",
    "LYDROO_PUBLIC",
    "AllLocal",
    "AllOffload",
    "Allocator",
    "ArrivalProcess",
    "Auto",
    "BestPair",
    "BestSingle",
    "ChannelProcess",
    "Comparison",
    "Decision",
    "Exact",
    "ExactGroups",
    "ExponentialArrivals",
    "Frame",
    "FrameBudget",
    "Inputs",
    "Lagrangian",
    "Learner",
    "LyCd",
    "Lydroo",
    "LydrooAgent",
    "MlpActor",
    "Myopic",
    "MyopicSaving",
    "NearestNeighbours",
    "NoisyCopy",
    "NoisyOrderPreserving",
    "NomaGreedy",
    "NomaSca",
    "Ofdma",
    "OrderPreserving",
    "Policy",
    "Precision",
    "Random",
    "RandomRounding",
    "Recorded",
    "RicianFading",
    "Robust",
    "RoundRobin",
    "Scenario",
    "SharedActor",
    "Status",
    "StrongWeak",
    "Tdma",
    "Trace",
    "TrainedLydroo",
    "capacity",
    "capacity_boundary",
    "compare",
    "decide",
    "device_features",
    "least_power",
    "simulate",
]

_PLACES = {
    "Allocator": "allocation.allocator",
    "FrameBudget": "allocation.frame_budget",
    "NomaGreedy": "allocation.greedy",
    "NomaSca": "allocation.sca",
    "Tdma": "allocation.tdma",
    "Decision": "model.frame",
    "Frame": "model.frame",
    "Status": "model.frame",
    "Scenario": "model.scenario",
    "Auto": "policy.auto",
    "AllLocal": "policy.baselines",
    "AllOffload": "policy.baselines",
    "BestPair": "policy.baselines",
    "BestSingle": "policy.baselines",
    "Random": "policy.baselines",
    "LyCd": "policy.coordinate_descent",
    "decide": "policy.decide",
    "Exact": "policy.exact",
    "Lagrangian": "policy.lagrangian",
    "DROO": "policy.lydroo",
    "EQUIVARIANT": "policy.lydroo",
    "LYDROO_PUBLIC": "policy.lydroo",
    "Inputs": "policy.lydroo",
    "Lydroo": "policy.lydroo",
    "LydrooAgent": "policy.lydroo",
    "TrainedLydroo": "policy.lydroo",
    "device_features": "policy.lydroo.features",
    "MlpActor": "policy.lydroo.network",
    "SharedActor": "policy.lydroo.network",
    "NearestNeighbours": "policy.lydroo.quantiser",
    "NoisyCopy": "policy.lydroo.quantiser",
    "NoisyOrderPreserving": "policy.lydroo.quantiser",
    "OrderPreserving": "policy.lydroo.quantiser",
    "Myopic": "policy.myopic",
    "MyopicSaving": "policy.myopic",
    "Learner": "policy.policy",
    "Policy": "policy.policy",
    "RandomRounding": "policy.rounding",
    "Robust": "policy.robust",
    "ExactGroups": "policy.subchannels",
    "Ofdma": "policy.subchannels",
    "RoundRobin": "policy.subchannels",
    "StrongWeak": "policy.subchannels",
    "capacity_boundary": "region.boundary",
    "capacity": "region.capacity",
    "least_power": "region.least_power",
    "Precision": "region.sampling",
    "Comparison": "simulation.comparison",
    "compare": "simulation.comparison",
    "ArrivalProcess": "simulation.processes",
    "ChannelProcess": "simulation.processes",
    "ExponentialArrivals": "simulation.processes",
    "Recorded": "simulation.processes",
    "RicianFading": "simulation.processes",
    "simulate": "simulation.run",
    "Trace": "simulation.trace",
    "AsyncClient": "service.client.async_client",
    "Client": "service.client.client",
    "FreshStart": "service.client.conversation",
    "ReportRefused": "service.client.conversation",
    "ServiceUnavailable": "service.client.conversation",
}
"""The module of each public name; the service's clients, which need an extra's libraries, are no part of `__all__`."""


def _loaded(name: str) -> _typing.Any:
    """A public name, loaded when it is first asked for: what needs no kernels starts without Numba."""
    from importlib import import_module

    if name == "plot":
        return import_module("quedge.plot")
    if name not in _PLACES:
        raise AttributeError(f"module 'quedge' has no attribute {name!r}")

    if _PLACES[name].startswith("service."):
        from quedge.errors import check_installed

        check_installed("grpc", f"quedge.{name}", "grpcio", "serve")
    found = getattr(import_module(f"quedge.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


if not _typing.TYPE_CHECKING:  # a checker finds the names above, and no others
    __getattr__ = _loaded


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "plot"})
