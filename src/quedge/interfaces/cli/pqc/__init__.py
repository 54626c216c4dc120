"""`quedge pqc`: what post-quantum security costs, derived, measured and emulated."""

from __future__ import annotations

import typer

from quedge.interfaces.cli.pqc.emulate import emulate
from quedge.interfaces.cli.pqc.list import list_profiles
from quedge.interfaces.cli.pqc.measure import measure
from quedge.interfaces.cli.pqc.show import show

pqc = typer.Typer(help="What post-quantum security costs: derived, measured, and emulated.")
pqc.command("list")(list_profiles)
pqc.command()(show)
pqc.command()(measure)
pqc.command()(emulate)
