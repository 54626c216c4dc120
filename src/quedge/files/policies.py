"""The policies by the names that the command line gives them, a user's own among them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NamedTuple, cast

from quedge.files.agent import read_agent
from quedge.files.exported import SUFFIX, read_exported
from quedge.policy.learners import LEARNERS, learner_of, settings_of
from quedge.policy.lydroo import TrainedLydroo
from quedge.policy.lydroo.onnx.policy import ExportedLydroo
from quedge.policy.policy import Learner, Policy
from quedge.policy.registry import SCHEMES

GROUP = "quedge.policies"
"""Entry points of this group add policies by name."""

_MOST_SHOWN = 60


def own_part(option: str, place: str, method: str) -> Any:
    """The part that stands at `module:attribute`; the current folder is searched first, as `python -m` does.

    Args:
        option: the option that names it, for messages.
        place: where it stands.
        method: what the part must offer beside `begin`, such as "decide".

    Returns:
        The attribute itself where it is such a part; of a class or another callable, what it gives without arguments.

    Raises:
        ValueError: there is none; the message names the option, the place and what is wrong.
    """
    module_name, colon, attribute = place.partition(":")
    if not colon or not all(name.isidentifier() for name in (*module_name.split("."), *attribute.split("."))):
        raise ValueError(f"{option}: {place[:_MOST_SHOWN]!r} is not allowed; it must be MODULE:ATTRIBUTE")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever a user's module raises
        raise ValueError(f"{option} {place}: {module_name} cannot be imported: {_told(error)}") from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ValueError(f"{option} {place}: {module_name} has no {attribute}")
        found = getattr(found, name)
    return _made(f"{option} {place}", found, method)


def packaged_policies() -> dict[str, EntryPoint]:
    """The entry points by which installed packages add policies, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def packaged_policy(option: str, point: EntryPoint) -> Any:
    """The policy that an installed package gives by an entry point; `point` is one of `packaged_policies`.

    Raises:
        ValueError: it cannot be loaded, or is no policy; the message names the option and the name.
    """
    try:
        found = point.load()
    except Exception as error:  # whatever the package raises
        raise ValueError(f"{option} {point.name}: {point.value} cannot be loaded: {_told(error)}") from error
    return _made(f"{option} {point.name}", found, "decide")


def _made(what: str, found: Any, method: str) -> Any:
    """The part itself, or what a class or another callable gives without arguments."""
    if _is_part(found, method):
        return found
    if not callable(found):
        raise ValueError(f"{what}: {found!r:.{_MOST_SHOWN}} is not allowed; it must be an object with {method}()")
    try:
        made = found()
    except Exception as error:  # whatever it raises
        raise ValueError(f"{what}: cannot be made without arguments: {_told(error)}") from error
    if not _is_part(made, method):
        raise ValueError(f"{what}: gives {made!r:.{_MOST_SHOWN}}, and must give an object with {method}()")
    return made


def _is_part(found: Any, method: str) -> bool:
    offered = (method, "new_agent", "begin") if method == "decide" else (method,)
    return not isinstance(found, type) and any(callable(getattr(found, name, None)) for name in offered)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


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
