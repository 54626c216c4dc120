r"""Equations as MathML: browsers draw it themselves, so that pages need no JavaScript, no network and no LaTeX.

docutils, which Sphinx brings, translates LaTeX to MathML. A display ending in ``\tag{17}`` carries that number, the
paper's, at its right, and can be linked to as ``#eq-17``.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_FUNCTION = re.compile(r"<mi>(ln|log)</mi>")  # as operators they get the space that TeX gives them
_TAG = re.compile(r"\s*\\tag\{([^}]*)\}\s*$")


def draw_inline(writer: Any, node: nodes.math) -> None:
    """Write an equation within a line."""
    writer.body.append(_mathml(node, node.astext(), as_block=False))
    raise nodes.SkipNode


def draw_display(writer: Any, node: nodes.math_block) -> None:
    """Write an equation of its own line, with its number."""
    source = node.astext()
    tag = _TAG.search(source)
    writer.body.append(writer.starttag(node, "div", CLASS="equation"))
    writer.body.append(_mathml(node, _TAG.sub("", source), as_block=True))
    if tag:
        name = re.sub(r"[^a-z0-9]+", "-", tag[1].lower()).strip("-")
        writer.body.append(f'<a class="number" id="eq-{name}" href="#eq-{name}">({tag[1]})</a>')
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def _mathml(node: nodes.Node, source: str, as_block: bool) -> str:
    try:
        drawn = str(tex2mathml(source, as_block=as_block))
    except MathError as error:
        raise ExtensionError(
            f"{node.source}: {source!r} is no equation that docutils can translate: {error}"
        ) from error
    return _FUNCTION.sub(r'<mo lspace="0.17em" rspace="0.17em">\1</mo>', drawn)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name that ``html_math_renderer`` asks for."""
    app.add_html_math_renderer("mathml", inline_renderers=(draw_inline, None), block_renderers=(draw_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
