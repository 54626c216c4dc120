"""LyDROO, the paper's learning agent (Sections IV, V-B), and quedge's own, which differs in what the actor is."""

from quedge.policy.lydroo.agent import (
    DROO,
    EQUIVARIANT,
    LYDROO_PUBLIC,
    AgentState,
    Lydroo,
    LydrooAgent,
    Resumable,
    TrainedLydroo,
)
from quedge.policy.lydroo.features import Inputs
from quedge.policy.lydroo.network import MlpActor, SharedActor
from quedge.policy.lydroo.quantiser import NearestNeighbours, NoisyCopy, NoisyOrderPreserving, OrderPreserving

__all__ = [
    "DROO", "EQUIVARIANT", "LYDROO_PUBLIC", "AgentState", "Inputs", "Lydroo", "LydrooAgent", "MlpActor",
    "NearestNeighbours", "NoisyCopy", "NoisyOrderPreserving", "OrderPreserving", "Resumable", "SharedActor",
    "TrainedLydroo",
]  # fmt: skip
