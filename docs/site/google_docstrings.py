"""Google-style docstrings for Sphinx, with formulas that stand indented."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import GoogleDocstring

BEFORE_NAPOLEON, AFTER_NAPOLEON = 400, 600
VALUES = ("attribute", "data", "property")

_written: dict[str, list[str]] = {}


def keep_formulas(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Mark the indented paragraphs of a module's docstring as literal blocks: they are formulas, line by line."""
    if what != "module":
        return
    marked: list[str] = []
    within = False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not within and marked and not marked[-1]:
            marked += ["::", ""]
            within = True
        elif line and not indented:
            within = False
        marked.append(line)
    lines[:] = marked


def remember_values(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Keep what was written of a value, before Napoleon takes what stands before its first colon for a type."""
    if what in VALUES:
        _written[name] = list(lines)


def restore_values(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Read a value's docstring as that of a function: a sentence, and sections."""
    if what in VALUES:
        lines[:] = GoogleDocstring(_written.pop(name), app.config, app, "function", name, thing, options).lines()


def list_keys(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """List a scenario's keys, which describe themselves: meaning, unit, default and range."""
    for key, field in getattr(thing, "__dataclass_fields__", {}).items() if what == "class" else ():
        parameter = field.metadata.get("parameter")
        if parameter is None:
            continue
        unit = f" ({parameter.unit})" if parameter.unit else ""
        each = ", *per device*" if parameter.per_device else ""
        default = "" if field.default is None else f"; default {field.default!r}"
        lines.append(f":ivar {key}: {parameter.meaning}{unit}{each}; {parameter.allowed}{default}")


def skip_tuple_fields(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples as members; the class's docstring describes them."""
    return True if type(thing).__name__ == "_tuplegetter" else None


def find_elsewhere(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement) -> Any:
    """Link a class that a docstring calls by its bare name, where one documented module alone has that name."""
    name = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not name or "." in name:
        return None
    domain = env.domains.python_domain
    kinds = ("class", "exception")
    found = {
        (entry.docname, entry.node_id)
        for full, entry in domain.objects.items()
        if full.rpartition(".")[2] == name and entry.objtype in kinds
    }
    if len(found) != 1:
        return None
    ((page, anchor),) = found
    link = nodes.reference("", "", shown, internal=True)
    link["refuri"] = f"{app.builder.get_relative_uri(node['refdoc'], page)}#{anchor}"
    return link


def write_aliases(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, arguments: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write the arrays' short names where autodoc leaves its placeholder for them; a protocol is never called."""
    if getattr(thing, "_is_protocol", False):
        return "", None
    return _without_placeholder(arguments), _without_placeholder(returns)


def _without_placeholder(signature: str | None) -> str | None:
    return None if signature is None else re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", signature)


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to what autodoc finds, and to links that lead nowhere."""
    app.connect("autodoc-process-docstring", keep_formulas)
    app.connect("autodoc-process-docstring", remember_values, BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", restore_values, AFTER_NAPOLEON)
    app.connect("autodoc-process-docstring", list_keys, AFTER_NAPOLEON)
    app.connect("autodoc-process-signature", write_aliases)
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("missing-reference", find_elsewhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
