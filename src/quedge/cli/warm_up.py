"""`quedge warm-up`: compile the solvers before they are needed."""

from __future__ import annotations

import sys

import typer

from quedge.cli import options
from quedge.cli.compiling import Compiling, compile_decisions
from quedge.cli.progress import progress_bars
from quedge.cli.usage import refusing
from quedge.files.policies import policies_by_name
from quedge.model.kernel_cache import machine_code_folder
from quedge.policy.registry import SCHEMES
from quedge.simulation.run import BLOCKS_FROM


def warm_up(policy: options.Policies = None) -> None:
    """Compile the solvers of all policies, or of those that are named, and keep their machine code on disk.

    Later commands, of whoever finds that folder, then start without compiling.
    """
    with refusing():
        policies = policies_by_name(policy or [scheme.name for scheme in SCHEMES], (), None)
    folder = machine_code_folder()
    if folder is None:
        print("quedge: machine code cannot be kept: no folder for it can be written (NUMBA_CACHE_DIR)", file=sys.stderr)
        raise typer.Exit(1)
    with progress_bars() as progress, Compiling(policies.values(), BLOCKS_FROM, progress) as compiling:
        for place, each in enumerate(policies.values()):
            compiling.take(place)
            compile_decisions(each)
    print(f"Compiled for {', '.join(policies)}; kept below {folder}")
