"""What the shell offers after a Tab, where that is neither a command nor an option.

Functions take what stands there so far and return what it may become; where there is nothing, shells offer files.
"""

from __future__ import annotations

from pathlib import Path

from quedge.experiments.catalogue import NAMES
from quedge.files.policies import POLICIES, packaged_policies
from quedge.files.traces import FORMATS
from quedge.policy.learners import LEARNERS
from quedge.pqc.suite import SUITES


def policies(incomplete: str) -> list[str]:
    """Policies by name, those of installed packages among them."""
    return [name for name in (*POLICIES, *packaged_policies()) if name.startswith(incomplete)]


def learners(incomplete: str) -> list[str]:
    """Policies that learn."""
    return [name for name in LEARNERS if name.startswith(incomplete)]


def scenario_files(incomplete: str) -> list[str]:
    """Scenario files in the folder that is being written."""
    folder, beginning = incomplete.rpartition("/")[::2]
    above = "/" if incomplete.startswith("/") and not folder else folder
    found = sorted(path.name for path in Path(above).glob("*.toml") if path.name.startswith(beginning))
    return [f"{incomplete[: len(incomplete) - len(beginning)]}{name}" for name in found]


def experiments(incomplete: str) -> list[str]:
    """Experiments and groups of them."""
    return [name for name in NAMES if name.startswith(incomplete)]


def suites(incomplete: str) -> list[str]:
    """Post-quantum suites."""
    return [name for name in SUITES if name.startswith(incomplete)]


def formats(incomplete: str) -> list[str]:
    """How a trace may be kept."""
    return [name for name in FORMATS if name.startswith(incomplete)]
