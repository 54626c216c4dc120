"""Policies by the names that the command line gives them, and a user's own objects, loaded by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from quedge.errors import not_allowed, one_of
from quedge.model.cell import cell_of
from quedge.model.scenario import Scenario
from quedge.policy.learners import LEARNERS, learner_of, settings_of
from quedge.policy.lydroo import TrainedLydroo
from quedge.policy.lydroo.onnx.policy import ExportedLydroo
from quedge.policy.policy import Learner, Policy, check_carries
from quedge.policy.registry import EXACT, EXACT_GROUPS, SCHEMES

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "quedge.policies"
"""Entry points of this group add policies by name."""

_MAX_SHOWN = 60


def load_plugin(option: str, place: str, method: str) -> Any:
    """Load a user's own object from `module:attribute`; the current folder is searched first, as `python -m` does.

    Args:
        option: the option that names it, for messages.
        place: `module:attribute`, or `path/to/module.py:attribute`.
        method: the method that the object must have, such as "decide"; of policies `begin` will do, too.

    Returns:
        The attribute itself where it has the method; of a class or another callable, what a call without arguments
        returns.

    Raises:
        ValueError: there is none; the message names the option, the place and what is wrong.
    """
    module_name, colon, attribute = place.partition(":")
    file, here = None, Path.cwd()
    if module_name.endswith(".py"):
        file = here / module_name
        module_name, here = file.stem, file.parent
        if not file.is_file():
            raise ValueError(f"{option} {place}: there is no file {file}")
    if not colon or not all(name.isidentifier() for name in (*module_name.split("."), *attribute.split("."))):
        raise not_allowed(option, place, "MODULE:ATTRIBUTE")
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever a user's module raises
        raise ValueError(f"{option} {place}: {module_name} cannot be imported: {_described(error)}") from error
    if file is not None and Path(found.__file__ or "").resolve() != file.resolve():
        raise ValueError(f"{option} {place}: {module_name} is {found.__file__} already; give the file another name")
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ValueError(f"{option} {place}: {module_name} has no {attribute}")
        found = getattr(found, name)
    return _instance(f"{option} {place}", found, method)


def packaged_policies() -> dict[str, EntryPoint]:
    """The entry points by which installed packages add policies, by name."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def packaged_policy(option: str, point: EntryPoint) -> Any:
    """The policy that an installed package gives by an entry point; `point` is one of `packaged_policies`.

    Raises:
        ValueError: it cannot be loaded, or is no policy; the message names the option and the name.
    """
    try:
        found = point.load()
    except Exception as error:  # whatever the package raises
        raise ValueError(f"{option} {point.name}: {point.value} cannot be loaded: {_described(error)}") from error
    return _instance(f"{option} {point.name}", found, "decide")


def _instance(what: str, found: Any, method: str) -> Any:
    """The object itself, or what a class or another callable returns without arguments."""
    if _has_method(found, method):
        return found
    if not callable(found):
        raise ValueError(f"{what}: {found!r:.{_MAX_SHOWN}} is not allowed; it must be an object with {method}()")
    try:
        made = found()
    except Exception as error:  # whatever it raises
        raise ValueError(f"{what}: cannot be made without arguments: {_described(error)}") from error
    if not _has_method(made, method):
        raise ValueError(f"{what}: gives {made!r:.{_MAX_SHOWN}}, and must give an object with {method}()")
    return made


def _has_method(found: Any, method: str) -> bool:
    offered = (method, "new_agent", "begin") if method == "decide" else (method,)
    return not isinstance(found, type) and any(callable(getattr(found, name, None)) for name in offered)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


POLICIES: dict[str, Policy | Learner] = {scheme.name: scheme.policy for scheme in SCHEMES}

ALLOWED = f"{', '.join(POLICIES)}, or MODULE:ATTRIBUTE, a policy of one's own"
"""What names a policy, in words."""


class Trained(NamedTuple):
    """A trained agent, from its file or from its exported actor: the policy's name, and who decides."""

    name: str
    policy: TrainedLydroo | ExportedLydroo


def trained_agent(path: Path) -> Trained:
    """Read an agent's file, or the exported actor of one.

    Raises:
        ValueError: it is neither; the message names the file.
        MissingExtraError: what reads it is not installed.
    """
    from quedge.files.agent import read_agent
    from quedge.files.exported import SUFFIX, read_exported

    if path.suffix == SUFFIX:
        return Trained(*read_exported(path))
    file = read_agent(path)
    return Trained(file.config.policy, file.policy())


def policies_by_name(
    names: Sequence[str],
    learner: Sequence[str] = (),
    agent: Path | None = None,
    known: Mapping[str, Policy | Learner] | None = None,
) -> dict[str, Policy | Learner]:
    """Policies in the order in which they were asked for.

    Args:
        names: their names, or where they are found; without any it is the agent's policy, or the exact one.
        learner: settings of the learning policies, as `settings_of` reads them.
        agent: file of a trained agent, which its policy then runs without learning.
        known: policies that have a name here only.

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
    settings = settings_of(learner) if learner else {}
    learners = [name for name in names if name in LEARNERS and not (trained and name == trained.name)]
    if settings and not learners:
        why = "an agent has the settings of its file, and " if trained else ""
        raise ValueError(f"--learner: {why}no policy learns here; it is for {', '.join(LEARNERS)}")
    named = POLICIES | dict(known or {})
    policies: dict[str, Policy | Learner] = {}
    for name in names:
        if name in learners:
            policies[name] = learner_of(name, settings)
        else:
            policies[name] = named[name] if name in named else _own_policy(name)
    if trained is not None:
        if trained.name not in policies:
            raise ValueError(f"--agent: {agent}: is an agent of {trained.name}, which is not among the policies")
        policies[trained.name] = trained.policy
    return policies


def check_devices(policies: Mapping[str, Policy | Learner], devices: int) -> None:
    """Refuse a trained agent that does not serve this number of devices; a ValueError names both numbers."""
    for policy in policies.values():
        if isinstance(policy, TrainedLydroo | ExportedLydroo):
            policy.check_devices(devices)


def check_served(policies: Mapping[str, Policy | Learner], scenario: Scenario) -> None:
    """Refuse policies that cannot carry a key of the scenario; a ValueError names the policy."""
    for name, policy in policies.items():
        try:
            check_carries(policy, scenario)
        except ValueError as error:
            raise ValueError(f"--policy {name}: {error}") from None


def default_names(scenario: Scenario) -> list[str]:
    """The policy that decides where none is named: the exact one, or with sub-channels or groups `exact-groups`."""
    return [(EXACT_GROUPS if cell_of(scenario).is_grouped else EXACT).name]


def _own_policy(name: str) -> Policy | Learner:
    """A user's own policy, from an installed package or from where the name says that it is.

    Raises:
        ValueError: there is none.
    """
    if ":" in name:
        return cast(Policy | Learner, load_plugin("--policy", name, "decide"))
    packaged = packaged_policies()
    if name not in packaged:
        raise not_allowed("--policy", name, one_of([*packaged, ALLOWED]))
    return cast(Policy | Learner, packaged_policy("--policy", packaged[name]))
