"""The actor: its two networks, in compiled code, and how they learn."""

from quedge.policy.lydroo.actor.actor import Actor, Weights, fresh_weights, wrong_devices
from quedge.policy.lydroo.actor.mlp import MlpActor
from quedge.policy.lydroo.actor.shared import SharedActor
from quedge.policy.lydroo.actor.training import Trainer

__all__ = ["Actor", "MlpActor", "SharedActor", "Trainer", "Weights", "fresh_weights", "wrong_devices"]
