"""The policies by the names that the command line gives them, a user's own among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from quedge.experiments.schemes import SCHEMES
from quedge.interfaces.agent_file import read_agent
from quedge.interfaces.exported_file import SUFFIX, read_exported
from quedge.interfaces.lydroo_settings import LEARNERS, learner_of, settings_of
from quedge.interfaces.own_parts import own_part, packaged_policies, packaged_policy
from quedge.policy.lydroo import TrainedLydroo
from quedge.policy.lydroo.exported.policy import ExportedLydroo
from quedge.policy.policy import Learner, Policy

POLICIES: dict[str, Policy | Learner] = {scheme.name: scheme.policy for scheme in SCHEMES}

ALLOWED = f"{', '.join(POLICIES)}, or MODULE:ATTRIBUTE, a policy of one's own"
"""What names a policy, in words."""


class Trained(NamedTuple):
    """A trained agent, from its file or from its exported actor.

    Attributes:
        name: the policy's name.
        policy: who decides.
    """

    name: str
    policy: TrainedLydroo | ExportedLydroo


def trained_agent(path: Path) -> Trained:
    """Read an agent's file, or the exported actor of one.

    Raises:
        ValueError: it is neither; the message names the file.
        MissingExtraError: what reads it is not installed.
    """
    if path.suffix == SUFFIX:
        return Trained(*read_exported(path))
    file = read_agent(path)
    return Trained(file.course.policy, file.policy())


def policies_by_name(
    names: Sequence[str], learner: Sequence[str] = (), agent: Path | None = None
) -> dict[str, Policy | Learner]:
    """Policies in the order in which they were asked for.

    Args:
        names: their names, or where they are found; without any it is the agent's policy, or the exact one.
        learner: settings of the learning policies, as `settings_of` reads them.
        agent: file of a trained agent, which its policy then runs without learning.

    Raises:
        ValueError: a name that is unknown or stands there twice, settings or an agent that no policy uses, or a file
            that is no agent; the message names it.
        MissingExtraError: an agent's file, and what reads it is not installed.
    """
    trained = None if agent is None else trained_agent(agent)
    names = names or ["exact" if trained is None else trained.name]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ValueError(f"--policy: {name!r} is given twice; once is allowed")
    settings = settings_of(learner)
    learners = [name for name in names if name in LEARNERS and not (trained and name == trained.name)]
    if settings and not learners:
        why = "an agent has the settings of its file, and " if trained else ""
        raise ValueError(f"--learner: {why}no policy learns here; it is for {', '.join(LEARNERS)}")
    policies: dict[str, Policy | Learner] = {}
    for name in names:
        if name in learners:
            policies[name] = learner_of(name, settings)
        else:
            policies[name] = POLICIES[name] if name in POLICIES else _own_policy(name)
    if trained is not None:
        if trained.name not in policies:
            raise ValueError(f"--agent: {agent}: is an agent of {trained.name}, which is not among the policies")
        policies[trained.name] = trained.policy
    return policies


def check_devices(policies: Mapping[str, Policy | Learner], devices: int) -> None:
    """Refuse a trained agent that does not serve this number of devices.

    Raises:
        ValueError: naming both numbers.
    """
    for policy in policies.values():
        if isinstance(policy, TrainedLydroo | ExportedLydroo):
            policy.check_devices(devices)


def _own_policy(name: str) -> Policy | Learner:
    """A user's own policy, from an installed package or from where the name says that it is.

    Raises:
        ValueError: there is none.
    """
    if ":" in name:
        return cast(Policy | Learner, own_part("--policy", name, "decide"))
    packaged = packaged_policies()
    if name not in packaged:
        added = f"{', '.join(packaged)}, " if packaged else ""
        raise ValueError(f"--policy: {name[:60]!r} is not allowed; it must be one of {added}{ALLOWED}")
    return cast(Policy | Learner, packaged_policy("--policy", packaged[name]))


def checked_name(name: str, allowed: Sequence[str]) -> str:
    """The name, if it is known.

    Raises:
        ValueError: it is not.
    """
    if name not in allowed:
        raise ValueError(f"--policy: {name[:60]!r} is not allowed; it must be one of {', '.join(allowed)}")
    return name
