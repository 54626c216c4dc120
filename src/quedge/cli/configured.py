"""A command whose options may also stand in the environment, or in a TOML file that an option names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from quedge.cli.group import Command
from quedge.cli.usage import UsageError
from quedge.errors import is_number, not_allowed, one_of
from quedge.files.scenario import read_toml, toml_text

T = TypeVar("T", bound=Callable[..., Any])

CONFIG = "config"
"""The option that names the file."""


class ConfiguredCommand(Command):
    """What is not given on the command line is taken from the environment, and what is not there from the file.

    In the environment an option is PREFIX_NAME, its long name in capitals; several values have spaces between them. In
    the file it is a key, its long name without the dashes; several values are a list, those of KEY=VALUE also a table.
    """

    prefix: str

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for key, parameter in self._parameters().items():
            parameter.envvar = f"{self.prefix}_{key.replace('-', '_').upper()}"
            parameter.show_envvar = False  # the command's own help says it once

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments into the context, after those that the file has."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        parameters = self._parameters()
        file = given.get(CONFIG) if isinstance(given.get(CONFIG), str) else os.environ.get(parameters[CONFIG].envvar)
        if not file:
            return super().parse_args(ctx, args)
        words = []
        for key, value in _checked_keys(file, parameters).items():
            parameter = parameters[key]
            is_given = isinstance(given.get(parameter.name), str) if _is_argument(parameter) else parameter in order
            if not is_given and not os.environ.get(parameter.envvar):
                words += _words(f"{file}: {key}", parameter, value)
        return super().parse_args(ctx, [*words, *args])

    def _parameters(self) -> dict[str, Any]:
        """Options and arguments by the key that stands for them, but for `--help`."""
        found = {}
        for parameter in self.params:
            names = [name for name in parameter.opts if name.startswith("--")]
            found[names[0].removeprefix("--") if names else str(parameter.name)] = parameter
        return {key: parameter for key, parameter in found.items() if key != "help"}


def configured(prefix: str) -> Callable[[T], T]:
    """Have a function become a `ConfiguredCommand` with this prefix in the environment."""

    def mark(function: T) -> T:
        function.command_class = type("Configured", (ConfiguredCommand,), {"prefix": prefix})  # type: ignore[attr-defined]
        return function

    return mark


def _checked_keys(file: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        document = read_toml(file)
        for key in document:
            if key not in parameters or key == CONFIG:
                raise not_allowed(f"{file}: key", key, one_of(sorted(parameters.keys() - {CONFIG})))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return document


def _words(what: str, parameter: Any, value: Any) -> list[str]:
    """A key's value as the command line has it."""
    if getattr(parameter, "is_flag", False):
        return _flag(what, parameter, value)
    if getattr(parameter, "multiple", False):
        values = [f"{key}={toml_text(each)}" for key, each in value.items()] if isinstance(value, dict) else value
        if not isinstance(values, list) or not all(map(_is_word, values)):
            raise UsageError(str(not_allowed(what, value, "a list of texts")))
        return [f"{parameter.opts[0]}={each}" for each in values]
    if not _is_word(value):
        raise UsageError(str(not_allowed(what, value, "a text or a number")))
    return [str(value)] if _is_argument(parameter) else [f"{parameter.opts[0]}={value}"]


def _flag(what: str, parameter: Any, value: Any) -> list[str]:
    if not isinstance(value, bool):
        raise UsageError(str(not_allowed(what, value, "true or false")))
    return [parameter.opts[0]] if value else list(parameter.secondary_opts[:1])


def _is_word(value: Any) -> bool:
    return isinstance(value, str) or is_number(value)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")
