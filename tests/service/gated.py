"""A policy that decides when it may."""

from __future__ import annotations

import threading

import numpy as np

from quedge.model.frame import Decision, Frame
from quedge.policy.exact import Exact
from tests.service.wire import PATIENCE_S


class Gated:
    """The exact policy, which decides when it may."""

    def __init__(self, gate: threading.Event) -> None:
        self.gate, self.asked = gate, threading.Event()

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """See `Policy.decide`."""
        self.asked.set()
        assert self.gate.wait(PATIENCE_S)
        return Exact().decide(frame, rng)
