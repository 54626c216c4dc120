"""What is served: scenario, policy and shadow, from files and options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quedge.files.agent import read_agent
from quedge.files.exported import SUFFIX
from quedge.files.fingerprint import plain
from quedge.files.policies import check_devices, policies_by_name
from quedge.files.scenario import read_scenario
from quedge.policy.learners import LEARNERS
from quedge.policy.lydroo import AgentState, Resumable
from quedge.policy.policy import Learner, Policy, is_learner
from quedge.service.basis import Basis

if TYPE_CHECKING:
    from quedge.service.server import NamedPolicy


def policy_of(
    name: str | None, learner: Sequence[str], agent: Path | None, learn: bool
) -> tuple[str, Policy | Learner, AgentState | None]:
    """The policy's name, the policy, and the agent's state that its learning goes on with, if any.

    Raises:
        ValueError: options that contradict each other; the message names them.
    """
    ((name, chosen),) = policies_by_name([] if name is None else [name], learner, agent).items()
    if learn and name not in LEARNERS:
        raise ValueError(f"--learn: {name} does not learn; it is for {', '.join(LEARNERS)}")
    if name in LEARNERS and not learn and agent is None:
        raise ValueError(f"--policy {name}: must be given --agent FILE, a trained agent, or --learn")
    if is_learner(chosen) and not isinstance(chosen, Resumable):
        does = "learns" if getattr(chosen, "learns", True) else "remembers past frames"
        raise ValueError(f"--policy {name}: {does}; of such policies only {', '.join(LEARNERS)} can be served")
    if not learn or agent is None:
        return name, chosen, None
    if agent.suffix == SUFFIX:
        raise ValueError(f"--learn: {agent}: is an exported actor, which learns no more; it must be an agent's file")
    file = read_agent(agent)
    return name, file.settings, file.state


def read_basis(
    scenario: Path | None, settings: Sequence[str], policy: str | None, learner: Sequence[str], agent: Path | None,
    learn: bool, seed: int,
) -> tuple[str, Basis]:  # fmt: skip
    """The policy's name, and what is served, from files and options.

    Raises:
        ValueError: what is in them is not allowed; the message names it.
    """
    given = read_scenario(scenario, settings).scenario
    name, chosen, start = policy_of(policy, learner, agent, learn)
    check_devices({name: chosen}, given.devices)
    basis = Basis(given, chosen, start, seed)
    _ = basis.determined_by  # refuses a policy of which nobody can tell what it depends on
    return name, basis


def with_same_policies(name: str, shadow: NamedPolicy | None, again: str, basis: Basis) -> Basis:
    """What is served, read once more; a ValueError where its policies may not go on with it."""
    if again != name:
        raise ValueError(f"--agent: is an agent of {again} now; it must be one of {name}, which serves")
    if shadow is not None:
        check_devices({shadow.name: shadow.policy}, basis.scenario.devices)
    return basis


def shadow_of(name: str | None, agent: Path | None, basis: Basis) -> NamedPolicy | None:
    """The shadow's policy, if there shall be one.

    Raises:
        ValueError: it is none that can decide beside the one that serves; the message names the option.
    """
    from quedge.service.server import NamedPolicy

    if name is None and agent is None:
        return None
    try:
        name, policy, _ = policy_of(name, (), agent, learn=False)
        check_devices({name: policy}, basis.scenario.devices)
    except ValueError as error:  # in which these two have the names of those that serve
        told = str(error).replace("--policy", "--shadow").replace("--agent", "--shadow-agent")
        raise ValueError(told.replace(", or --learn", "")) from None
    if plain(policy) == plain(basis.policy):
        raise ValueError(f"--shadow: {name} is what serves already; it must be another policy")
    return NamedPolicy(name, policy)
