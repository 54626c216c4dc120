"""The actor: its two networks, in compiled code, and how they learn."""

from quedge.policy.lydroo.network.mlp import MlpActor
from quedge.policy.lydroo.network.network import Actor, Trainer, Weights, fresh_weights, wrong_devices
from quedge.policy.lydroo.network.shared import SharedActor

__all__ = ["Actor", "MlpActor", "SharedActor", "Trainer", "Weights", "fresh_weights", "wrong_devices"]
