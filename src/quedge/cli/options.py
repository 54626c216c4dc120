"""The options that several commands share: how their values are completed, parsed and refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quedge.files.policies import ALLOWED, POLICIES, packaged_policies
from quedge.files.traces import FORMATS
from quedge.policy.learners import LEARNERS, NAMES
from quedge.pqc.suite import SUITES

if TYPE_CHECKING:
    from quedge.service.settings import Address

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:/\[\]]+):([0-9]{1,5})")
"""An IPv6 address stands in brackets."""


# Completion: what the shell offers after a Tab, by what stands there so far. Where that is nothing, it offers files.


def _starting(names: Iterable[str]) -> Callable[[str], list[str]]:
    offered = tuple(names)
    return lambda incomplete: [name for name in offered if name.startswith(incomplete)]


complete_formats = _starting(FORMATS)
complete_learners = _starting(LEARNERS)
complete_suites = _starting(SUITES)


def complete_experiments(incomplete: str) -> list[str]:
    """Experiments by name."""
    from quedge.experiments.catalogue import NAMES as EXPERIMENTS

    return _starting(EXPERIMENTS)(incomplete)


def complete_policies(incomplete: str) -> list[str]:
    """Policies by name, those of installed packages among them."""
    return [name for name in (*POLICIES, *packaged_policies()) if name.startswith(incomplete)]


def complete_scenario_files(incomplete: str) -> list[str]:
    """Scenario files in the folder that is being written."""
    folder, beginning = incomplete.rpartition("/")[::2]
    above = "/" if incomplete.startswith("/") and not folder else folder
    found = sorted(path.name for path in Path(above).glob("*.toml") if path.name.startswith(beginning))
    return [f"{incomplete[: len(incomplete) - len(beginning)]}{name}" for name in found]


# Parsers of values; typer names the option in front of their errors. Those of its own ranges, `min` and `max`, give
# neither the value nor both ends.


def refused(text: object, allowed: str) -> typer.BadParameter:
    """The error of an option's value, which says what is allowed."""
    return typer.BadParameter(f"{str(text)[:60]!r} is not allowed; it must be {allowed}.")


def parse_path(text: str) -> Path:
    """Where to write; an empty text, from an unset shell variable say, is not the current folder."""
    if not text:
        raise refused(text, "a name")
    return Path(text)


def integer_from(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser of integers in a range."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            raise refused(text, f"an integer from {lowest} to {highest}")
        return number

    return parse


def positive_to(highest: float) -> Callable[[str], float]:
    """A parser of numbers above 0 up to a highest one."""
    return lambda text: _number(text, lambda number: 0.0 < number <= highest, f"a number above 0, at most {highest:g}")


def number_to(highest: float) -> Callable[[str], float]:
    """A parser of numbers from 0 up to a highest one."""
    return lambda text: _number(text, lambda number: 0.0 <= number <= highest, f"a number from 0 to {highest:g}")


def number_from(lowest: float, highest: float) -> Callable[[str], float]:
    """A parser of numbers from a lowest one up to a highest one."""
    allowed = f"a number from {lowest:g} to {highest:g}"
    return lambda text: _number(text, lambda number: lowest <= number <= highest, allowed)


def parse_share(text: str) -> float:
    """A share of the frames, from 0 to below 1."""
    return _number(text, lambda share: 0.0 <= share < 1.0, "a number, at least 0 and below 1")


def _number(text: str, admits: Callable[[float], bool], allowed: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan  # in no range
    if not admits(number):
        raise refused(text, allowed)
    return number


def parse_listen_address(text: str) -> Address:
    """A host and a port to listen on; port 0 stands for one of the system's choice."""
    return _address(text, lowest_port=0)


def parse_connect_address(text: str) -> Address:
    """A host and a port to connect to."""
    return _address(text, lowest_port=1)


def parse_target(text: str) -> str:
    """A host and a port to connect to, as gRPC takes them."""
    host, port = _address(text, lowest_port=1)
    return f"{host}:{port}"


def _address(text: str, lowest_port: int) -> Address:
    match = _HOST_PORT.fullmatch(text)
    if match is None or not lowest_port <= int(match[2]) <= 65_535:
        raise refused(text, "HOST:PORT, such as 127.0.0.1:50051")
    from quedge.service.settings import Address

    return Address(match[1], int(match[2]))


def value_option(parser: Callable[[str], Any], metavar: str, text: str, *flags: str) -> Any:
    """An option whose value is parsed by a function, with its help text."""
    return typer.Option(*flags, parser=parser, metavar=metavar, help=text)


def integer_option(lowest: int, highest: int, text: str, *flags: str, metavar: str = "N") -> Any:
    """An option that takes integers in a range."""
    return value_option(integer_from(lowest, highest), metavar, text, *flags)


def frames_option(text: str) -> Any:
    """The option --frames with its help text."""
    return integer_option(1, 10**9, text)


# What several commands have in common.

ScenarioFile = Annotated[
    Path | None,
    typer.Argument(
        help="Scenario file (TOML); without one, the paper's scenario.", autocompletion=complete_scenario_files
    ),
]
Policies = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        help=f"Who decides: {ALLOWED}. Can be given again; without it, exact or the agent's.",
        autocompletion=complete_policies,
    ),
]
OnePolicy = Annotated[
    str | None,
    typer.Option(
        "--policy", help=f"Who decides: {ALLOWED}; without it, exact or the agent's.", autocompletion=complete_policies
    ),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A scenario's key. Can be given again.")
]
LearnerSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--learner",
        metavar="NAME=VALUE",
        help=f"A setting of the learning policies: {', '.join(NAMES)}. Can be given again.",
    ),
]
AgentFile = Annotated[
    Path | None,
    value_option(
        parse_path,
        "FILE",
        "A trained agent (.npz), or its exported actor (.onnx); it decides without learning.",
        "--agent",
    ),
]


Seed = Annotated[int, integer_option(0, 2**63 - 1, "Seed of the random streams.")]
Warmup = Annotated[float, value_option(parse_share, "SHARE", "Share of the frames that means leave out at the start.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, nothing else.")]

# Where and how often experiments run.

Seeds = Annotated[int | None, integer_option(1, 10_000, "Number of seeds, 0, 1, 2 ...; without it, 5.")]
WorkersOption = Annotated[
    int | None, integer_option(1, 1_000, "Processes at a time; without it, one per processor.", "--workers")
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="[ADDRESS]", help="Run on Ray: on this machine, or on the cluster at an address (HOST:PORT)."
    ),
]
OutFolder = Annotated[Path, value_option(parse_path, "DIR", "Folder for everything that is written.")]
