"""`quedge pqc`: what post-quantum security costs, derived, measured and emulated."""

from __future__ import annotations

from quedge.cli.group import CommandGroup, Place

pqc = CommandGroup(
    name="pqc",
    help="What post-quantum security costs: derived, measured, and emulated.",
    places=(
        Place(
            "list", "quedge.cli.pqc.show", "list_profiles",
            "List suites, algorithms, devices and framings with their numbers; a dash where no source gives one.",
        ),
        Place(
            "show", "quedge.cli.pqc.show", "show",
            "Show a suite's payload factor and circuit power for a number of bits per frame, "
            "in parts and with sources.",
        ),
        Place(
            "report", "quedge.cli.pqc.report", "report",
            "Write one page on what post-quantum security costs a cell, level by level, with sources.",
        ),
        Place(
            "measure", "quedge.cli.pqc.measure", "measure",
            "Time the algorithms that the installed libraries run, and check their sizes.",
        ),
        Place(
            "emulate", "quedge.cli.pqc.emulate", "emulate",
            "Send frames through a secured uplink on this machine and compare "
            "what arrives with what the sizes predict.",
        ),
    ),
)  # fmt: skip
