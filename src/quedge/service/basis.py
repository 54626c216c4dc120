"""What a service's answers depend on besides the reports, and how much of it may change while queues are kept."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.controller import Controller
from quedge.controller.engine import Change
from quedge.controller.state import QueueState, Snapshot
from quedge.errors import not_allowed
from quedge.files.fingerprint import ADDED_KEYS, plain, scenario_object
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.policy.lydroo import AgentState, Lydroo, TrainedLydroo
from quedge.policy.lydroo.onnx.policy import ExportedLydroo
from quedge.policy.policy import Learner, Policy, is_learner
from quedge.service.cells import Former

_OF_THE_WORLD = ("traffic", "channel")  # groups of keys that only a simulation reads
MIGRATABLE = frozenset(
    {name for name, parameter in PARAMETERS.items() if parameter.group in ("control", *_OF_THE_WORLD)}
    | {"estimate_error", "residual_sic_share", "devices"}
)
"""Keys of a scenario that may change while queues are kept; of the others each device keeps its values."""


class Basis(NamedTuple):
    """What the answers depend on besides the reports.

    Attributes:
        scenario: the cell of each base station.
        policy: who decides.
        start: the agent's state with which its learning goes on, if any.
        seed: seed of the policy's random stream.
    """

    scenario: Scenario
    policy: Policy | Learner
    start: AgentState | None = None
    seed: int = 0

    def fresh(self) -> Controller:
        """A controller that stands at its beginning."""
        controller = Controller(self.scenario, self.policy, self.seed)
        if self.start is not None:
            empty = QueueState.empty(self.scenario.devices)
            controller.restore(Snapshot(empty, controller.snapshot().random_state, self.start))
        return controller

    @property
    def determined_by(self) -> str:
        """All of it as JSON."""
        return json.dumps(self._told(), sort_keys=True)

    def former(self, determined_by: str) -> Former:
        """By whom a state was served, as `of_before` gives it; errors as there."""
        before = self.of_before(determined_by)
        return Former(before.fresh, keeps_agent=json.loads(determined_by)["policy"] == before._told()["policy"])

    def of_before(self, determined_by: str) -> Basis:
        """What a state was served under, where that differs from this one in nothing but migratable keys.

        The policy may differ, too, where this one does not learn: then it is this one that is given, which can serve no
        frame of the other's again.

        Args:
            determined_by: what is written there.

        Raises:
            ValueError: it differs in something else; the message names that.
        """
        try:
            told = json.loads(determined_by)
            keys: dict[str, Any] = told["scenario"]
            before = self._replace(scenario=Scenario(**keys))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError("scenario: cannot be read; it was served by another version of quedge") from None
        may_differ = ("policy",) if self._is_trained or not is_learner(self.policy) else ()
        for part, value in before._told().items():
            if told.get(part) != value and part not in may_differ:
                may = "keys of the scenario may, and a policy that does not learn"
                raise ValueError(f"{part}: differs from that of the state; only {may}")
        changed_keys(before.scenario, self.scenario)
        self._check_growth(before.scenario.devices)
        return before

    def changes(self, before: Basis) -> tuple[str, ...]:
        """What differs from before: keys of the scenario, and "agent" where a trained agent has another file.

        Raises:
            ValueError: something differs that may not while queues are kept; the message names it.
        """
        changed = changed_keys(before.scenario, self.scenario)
        self._check_growth(before.scenario.devices)
        here, there = self._told(), before._told()
        for part in ("began", "seed"):
            if here[part] != there[part]:
                raise ValueError(f"{part}: differs from what is served; it cannot change while queues are kept")
        if here["policy"] == there["policy"]:
            return changed
        if not self._is_trained or type(self.policy) is not type(before.policy):
            raise ValueError("policy: differs from the one that serves; it cannot change while queues are kept")
        return (*changed, "agent")

    def change(self, keeps_agent: bool = True) -> Change:
        """This, as an engine is told of it."""
        return Change(self.fresh, self.determined_by, keeps_agent)

    @property
    def _is_trained(self) -> bool:
        return isinstance(self.policy, TrainedLydroo | ExportedLydroo)

    def _told(self) -> dict[str, Any]:
        began = None if self.start is None else plain({"frames": self.start.frames, **self.start.weights})
        return {
            "scenario": scenario_object(self.scenario), "policy": plain(self.policy), "began": began, "seed": self.seed
        }  # fmt: skip

    def _check_growth(self, devices: int) -> None:
        if isinstance(self.policy, Lydroo) and self.scenario.devices != devices:
            raise not_allowed("devices", self.scenario.devices, f"{devices}, of which a learning agent has learned")


def changed_keys(before: Scenario, after: Scenario) -> tuple[str, ...]:
    """The keys in which a scenario differs from one of before, which may have fewer devices.

    Raises:
        ValueError: a key differs that may not while queues are kept, or there are fewer devices; the message names it.
    """
    if after.devices < before.devices:
        raise not_allowed("devices", after.devices, f"at least {before.devices}, the number that is served")
    default = {name: getattr(Scenario, name) for name in ADDED_KEYS}
    there, here = default | scenario_object(before), default | scenario_object(after)
    changed = tuple(name for name in here if _differs(here[name], there[name], before.devices))
    for name in changed:
        if name not in MIGRATABLE:
            raise ValueError(
                f"{name}: {_shown(here[name])} is not allowed while queues are kept; it must be {_shown(there[name])}"
            )
    return changed


def _differs(here: Any, there: Any, devices: int) -> bool:
    """Whether a key's values differ, as JSON has them; of a list those of the devices that were there before."""
    if not isinstance(here, list) and not isinstance(there, list):
        return bool(here != there)
    if here is None or there is None:
        return True
    return not np.array_equal(_each(here, devices), _each(there, devices))


def _each(value: Any, devices: int) -> NDArray[np.float64]:
    return np.array(value[:devices]) if isinstance(value, list) else np.full(devices, float(value))


def _shown(value: Any) -> str:
    return repr(value) if not isinstance(value, list) or len(value) <= 4 else f"[{value[0]!r}, ... {value[-1]!r}]"
