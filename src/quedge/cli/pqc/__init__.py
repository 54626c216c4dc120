"""`quedge pqc`: what post-quantum security costs, derived, measured and emulated."""

from __future__ import annotations

import typer

from quedge.cli.pqc.emulate import emulate
from quedge.cli.pqc.measure import measure
from quedge.cli.pqc.show import list_profiles, show

pqc = typer.Typer(help="What post-quantum security costs: derived, measured, and emulated.")
pqc.command("list")(list_profiles)
pqc.command()(show)
pqc.command()(measure)
pqc.command()(emulate)
