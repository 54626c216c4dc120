"""The policies by the names that the command line gives them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from quedge.experiments.schemes import SCHEMES
from quedge.interfaces.agent_file import read_agent
from quedge.interfaces.lydroo_settings import CRITICS, lydroo_of
from quedge.model.extras import check_pytorch, has_pytorch
from quedge.policy.lydroo import TrainedLydroo
from quedge.policy.policy import Learner, Policy

POLICIES: dict[str, Policy | Learner] = {scheme.name: scheme.policy for scheme in SCHEMES}


def policies_by_name(
    names: Sequence[str], lydroo: Sequence[str] = (), agent: Path | None = None
) -> dict[str, Policy | Learner]:
    """Policies in the order in which they were asked for.

    Args:
        names: their names; without any it is the agent's policy, or the exact one.
        lydroo: settings of the learning policies, as `lydroo_of` reads them.
        agent: file of a trained agent, which its policy then runs without learning.

    Raises:
        ValueError: a name that is unknown or stands there twice, settings or an agent that no policy uses, or a file
            that is no agent; the message names it.
        MissingExtraError: a learning policy, and PyTorch is not installed.
    """
    trained = None if agent is None else read_agent(agent)
    names = names or ["exact" if trained is None else trained.course.policy]
    for position, name in enumerate(names):
        checked_name(name)
        if name in names[:position]:
            raise ValueError(f"--policy: {name!r} is given twice; once is allowed")
    settings = lydroo_of(lydroo)
    learners = [name for name in names if name in CRITICS and not (trained and name == trained.course.policy)]
    if lydroo and not learners:
        why = "an agent has the settings of its file, and " if trained else ""
        raise ValueError(f"--lydroo: {why}no policy learns here; it is for {', '.join(CRITICS)}")
    if learners:
        check_pytorch(learners[0])
    policies: dict[str, Policy | Learner] = {}
    for name in names:
        learner = dataclasses.replace(settings, allocator=CRITICS[name]) if name in learners else POLICIES[name]
        policies[name] = learner
    if trained is not None:
        if trained.course.policy not in policies:
            raise ValueError(
                f"--agent: {agent}: is an agent of {trained.course.policy}, which is not among the policies"
            )
        policies[trained.course.policy] = trained.policy()
    return policies


def check_devices(policies: Mapping[str, Policy | Learner], devices: int) -> None:
    """Refuse a trained agent that does not serve this number of devices.

    Raises:
        ValueError: naming both numbers.
    """
    for policy in policies.values():
        if isinstance(policy, TrainedLydroo):
            policy.check_devices(devices)


def available_policies() -> tuple[dict[str, Policy | Learner], list[str]]:
    """The policies that can run with what is installed, and the names of those that cannot."""
    missing = [] if has_pytorch() else list(CRITICS)
    return {name: policy for name, policy in POLICIES.items() if name not in missing}, missing


def checked_name(name: str, allowed: Sequence[str] = tuple(POLICIES)) -> str:
    """The name, if it is known.

    Raises:
        ValueError: it is not.
    """
    if name not in allowed:
        raise ValueError(f"--policy: {name[:60]!r} is not allowed; it must be one of {', '.join(allowed)}")
    return name
