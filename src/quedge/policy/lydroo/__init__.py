"""LyDROO, the paper's learning agent (Sections IV, V-B)."""

from quedge.policy.lydroo.actor import MlpActor, SharedActor
from quedge.policy.lydroo.agent import AgentState, LydrooAgent, Resumable, TrainedLydroo
from quedge.policy.lydroo.features import Inputs
from quedge.policy.lydroo.quantiser import NearestNeighbours, NoisyOrderPreserving, OrderPreserving
from quedge.policy.lydroo.settings import MLP, PAPER, Lydroo

__all__ = [
    "MLP",
    "PAPER",
    "AgentState",
    "Inputs",
    "Lydroo",
    "LydrooAgent",
    "MlpActor",
    "NearestNeighbours",
    "NoisyOrderPreserving",
    "OrderPreserving",
    "Resumable",
    "SharedActor",
    "TrainedLydroo",
]
