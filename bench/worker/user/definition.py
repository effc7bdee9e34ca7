"""The text that a callable is made of: what decides whether two runs gave a model the same inputs, and judged it alike.

Not the whole file, since it may hold the model too, and an edited model is what one compares.
"""

from __future__ import annotations

import ast
from pathlib import Path


def definition(path: Path, name: str) -> str:
    """Return the definition of a callable, and of all that it uses among the functions, classes and values of its file.

    What is imported from elsewhere and what is defined within a top-level ``if`` is not looked at. A callable that is
    defined in no such way is made of the whole file.
    """
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError:  # the worker that imports it says so
        return text
    by_name: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for bound in _bound(statement):
            by_name.setdefault(bound, []).append(statement)
    first, *inner = name.split(".")
    pending = [_within(statement, inner) for statement in by_name.get(first, ())]
    if not pending:
        return text
    statements: dict[int, ast.stmt] = {}
    while pending:
        statement = pending.pop()
        if statement.lineno not in statements:
            statements[statement.lineno] = statement
            pending += [other for used in _used(statement) for other in by_name.get(used, ())]
    return "\n".join(ast.get_source_segment(text, statements[line]) or "" for line in sorted(statements))


def _bound(statement: ast.stmt) -> list[str]:
    """Return the names that a statement of the top level defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return [node.id for node in _names(statement) if isinstance(node.ctx, ast.Store)]
    return []


def _within(statement: ast.stmt, names: list[str]) -> ast.stmt:
    """Return the method of a class, as far as it stands there."""
    for name in names:
        body = statement.body if isinstance(statement, ast.ClassDef) else []
        statement = next((node for node in body if name in _bound(node)), statement)
    return statement


def _used(statement: ast.stmt) -> set[str]:
    """Return the names that it takes from outside."""
    names = _names(statement)
    bound = {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
    if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        bound |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - bound


def _names(statement: ast.stmt) -> list[ast.Name]:
    """Return the names in a statement but for those in annotations, which decide nothing."""
    annotations = [
        part
        for node in ast.walk(statement)
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(part, ast.AST)
    ]
    left_out = {id(node) for part in annotations for node in ast.walk(part)}
    return [node for node in ast.walk(statement) if isinstance(node, ast.Name) and id(node) not in left_out]
