"""Groups of commands that are imported when they are called, and how their arguments are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Place(NamedTuple):
    """A command that is not imported yet.

    Attributes:
        name: what it is called by.
        module: where it stands.
        attribute: its function there, or a group.
        help: what a list of commands says of it, the first paragraph of its own help.
    """

    name: str
    module: str
    attribute: str
    help: str

    def load(self) -> Any:
        """Import the command."""
        found = getattr(import_module(self.module), self.attribute)
        if isinstance(found, TyperGroup):
            return found
        alone = typer.Typer(add_completion=False)
        alone.command(self.name, cls=getattr(found, "command_class", Command))(found)
        return typer.main.get_command(alone)


class Command(TyperCommand):
    """A command that refuses an option which is given twice and takes one value: the second would win in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments into the context."""
        if not ctx.resilient_parsing:
            given: list[Any] = self.make_parser(ctx).parse_args(args=list(args))[2]
            for parameter, times in Counter(given).items():
                takes_one = parameter.param_type_name == "option" and not (parameter.multiple or parameter.is_flag)
                if takes_one and times > 1:
                    raise typer.BadParameter(f"is given {times} times; once is allowed.", ctx=ctx, param=parameter)
        return super().parse_args(ctx, args)


class CommandGroup(TyperGroup):
    """Commands of which only the one that is called is imported."""

    def __init__(self, *, places: Sequence[Place], **settings: Any) -> None:
        super().__init__(**settings)
        self._places = {place.name: place for place in places}
        for place in places:
            self.add_command(TyperCommand(place.name, help=place.help))  # for lists of commands

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The name and the command that the arguments begin with, and the other arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        place = self._places.get(str(name))
        return name, command if place is None else place.load(), rest
