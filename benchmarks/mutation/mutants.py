"""Mutants of a source file: one small mistake each, as a programmer makes them."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,), ast.Pow: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
    ast.LShift: (ast.RShift,), ast.RShift: (ast.LShift,), ast.And: (ast.Or,), ast.Or: (ast.And,),
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
"""What an operator is taken for."""

_NAMES = {"min": "max", "max": "min"}
_REMOVED = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)
_NOT_CODE = {"annotation", "returns", "decorator_list", "bases", "type_params"}


class Mutant(NamedTuple):
    """A source file with one mistake in it.

    Attributes:
        path: the file, relative to the root of the project.
        line: line of the mistake.
        before: what stands there.
        after: what takes its place.
        source: the whole file with the mistake.
    """

    path: str
    line: int
    before: str
    after: str
    source: bytes

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {_on_one_line(self.before)}  ->  {_on_one_line(self.after)}"


def mutants_of(root: Path, files: Iterable[Path]) -> list[Mutant]:
    """All mutants of some files that are Python, in the order of files and places."""
    return [mutant for file in sorted(files) for mutant in _of_file(file.relative_to(root).as_posix(), file)]


def _of_file(path: str, file: Path) -> Iterator[Mutant]:
    source = file.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in _code(ast.parse(source)):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        before = source[first:last].decode()
        for mistake in _mistakes(node):
            after = f"el{mistake}" if before.startswith("elif") else mistake
            changed = source[:first] + after.encode() + source[last:]
            yield Mutant(path, node.lineno, before, after, changed)


def _code(node: ast.AST) -> Iterator[Any]:
    """The nodes below one that are carried out: no annotations, no decorators, no texts."""
    for name, value in ast.iter_fields(node):
        if name in _NOT_CODE:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                if isinstance(child, (ast.expr, ast.stmt)):
                    yield child
                yield from _code(child)


def _mistakes(node: ast.AST) -> Iterator[str]:
    """What may be written by mistake in the place of a node."""
    if isinstance(node, _REMOVED) or _is_effect(node):
        yield "pass"
    elif isinstance(node, (ast.BinOp, ast.BoolOp)):
        for other in _OPERATORS.get(type(node.op), ()):
            yield _changed(node, op=other())
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _OPERATORS[type(operator)]:
                yield _changed(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])
    elif isinstance(node, ast.UnaryOp):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant):
        yield from _other_values(node.value)
    elif isinstance(node, ast.IfExp):
        yield _changed(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.If):
        yield _text(ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse), node.col_offset)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in _NAMES:
            yield _changed(node, func=ast.Name(_NAMES[node.func.id]))
        elif node.func.id == "range":
            *others, end = node.args if len(node.args) < 3 else node.args[:2]
            shorter = ast.BinOp(end, ast.Sub(), ast.Constant(1))
            yield _changed(node, args=[*others, shorter, *node.args[2:]])


def _is_effect(node: ast.AST) -> bool:
    """Whether a statement does something to what is there, so that a program runs without it."""
    if isinstance(node, ast.Assign):
        return all(isinstance(target, (ast.Subscript, ast.Attribute)) for target in node.targets)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def _other_values(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        yield from (str(value + 1), f"({value - 1})")
    elif isinstance(value, float):
        yield repr(2.0 * value or 1.0)


def _changed(node: ast.expr, **fields: Any) -> str:
    """An expression with some fields replaced, as it is written."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return f"({ast.unparse(other)})"


def _text(statement: ast.stmt, indent: int) -> str:
    """A statement of several lines as it is written behind its indentation."""
    return ast.unparse(statement).replace("\n", "\n" + " " * indent)


def _on_one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:100]}..."
