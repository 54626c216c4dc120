"""`quedge state`: the state of a service, looked at, kept elsewhere and brought back."""

from __future__ import annotations

from quedge.cli.group import CommandGroup, Place

state = CommandGroup(
    name="state",
    help="The state folder of `quedge serve`: inspect, verify, back up, restore, export, forget.",
    places=(
        Place(
            "inspect", "quedge.cli.state.look", "inspect",
            "Show what is stored of each base station's cell, also while a service runs.",
        ),
        Place(
            "verify", "quedge.cli.state.look", "verify",
            "Read all of a state and check it, also while a service runs.",
        ),
        Place(
            "backup", "quedge.cli.state.copy", "backup",
            "Copy the state as it is now to another folder, also while a service runs.",
        ),
        Place(
            "restore", "quedge.cli.state.copy", "restore_backup",
            "Bring cells back from a backup; no service may run on the folder.",
        ),
        Place(
            "export", "quedge.cli.state.look", "export",
            "Write the frames that are stored of a cell as JSON Lines, also while a service runs.",
        ),
        Place(
            "forget", "quedge.cli.state.copy", "forget_cell",
            "Remove a base station's cell; no service may run on the folder.",
        ),
    ),
)  # fmt: skip
