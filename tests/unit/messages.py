"""Every sentence that product and sandbox can say when something goes wrong, collected from its code.

A message is collected as it stands in the code, with … for what is filled in.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins" / "open_orders"
SANDBOX = ROOT / "sandbox"
# Calls whose texts somebody reads, wherever they are.
_SAYING = {
    "detail",
    "fail",
    "abandon",
    "print",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "critical",
    "problem",
}
# Calls and keyword arguments whose texts are no messages.
_STATEMENTS = {"SQL", "execute", "exec_driver_sql", "text", "compile", "_ask", "_ask_row"}
_DESCRIPTIONS = {"description", "help", "epilog", "responses", "title"}
# In all other modules of the package every sentence is a message, also one that a function returns and another raises.
_OTHER_TEXTS = ("web", "migrations", "models.py", "contract.py")
_SENTENCE_WORDS = 3
# What has the form of a sentence and is none: names of sessions and threads, values, a result.
_NAMES = re.compile(
    r"open_orders \w+.*|job log heartbeat|date and time.*|…, triggered by …|for this run \(…\)|\(… rows had come\)"
    r"|… pictures in …|The sandbox in …"
)
# What the code fills in that is always the same.
_ALWAYS = {"contract.noun": "order", "PREFIX": "OPEN_ORDERS_", "_SHOWN_NUL": "\N{SYMBOL FOR NULL}"}
_WORD = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class Message:
    """A sentence and the line of code that says it."""

    text: str
    where: str


def collect_messages() -> list[Message]:
    """Return all messages of the package, of the sandbox and of the scripts in bin/."""
    found = [message for file in sorted(PACKAGE.rglob("*.py")) for message in _of_module(file)]
    found += [message for file in sorted(SANDBOX.glob("*.py")) for message in _of_module(file)]
    found += [message for file in sorted((ROOT / "bin").iterdir()) for message in _of_script(file)]
    return found


def _of_module(file: Path) -> Iterator[Message]:
    # The lines of bin/check say themselves what to do.
    if "versions" in file.parts or file.is_relative_to(PACKAGE / "check"):
        return
    everywhere = file.is_relative_to(PACKAGE) and file.relative_to(PACKAGE).parts[0] not in _OTHER_TEXTS
    for node, said in _texts(ast.parse(file.read_text()), said=False):
        text = one_line(_template(node) or "")
        words = sum(bool(_WORD.search(word)) for word in text.split())
        is_pattern = "{" in text or "\\" in text or text.startswith("SELECT ")
        if (
            words >= (2 if said else _SENTENCE_WORDS)
            and (said or everywhere)
            and not (is_pattern or _NAMES.fullmatch(text))
        ):
            yield Message(text, f"{file.relative_to(ROOT)}:{node.lineno}")


def _texts(node: ast.AST, *, said: bool) -> Iterator[tuple[ast.Constant | ast.JoinedStr, bool]]:
    """Yield the texts of a syntax tree that may be messages, and whether they are raised, logged or printed."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.keyword(arg=name) if name in _DESCRIPTIONS:
            return
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _STATEMENTS:
            return
        case ast.Assign(targets=[ast.Name(id=name)]) if name.lower() in _DESCRIPTIONS:
            return
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _SAYING:
            said = True
        case ast.Raise():
            said = True
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str() as text)) if name.isupper():
            # A constant with a sentence in it is one that somebody says.
            said = said or re.fullmatch(r"[A-Z][a-z]+( [A-Za-z',.():;/-]+){3,}", text) is not None
        case ast.Constant(value=str()):
            yield node, said
            return
        case ast.JoinedStr():
            yield node, said
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _texts(part.value, said=said)
            return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, said=said)


def _template(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return re.sub(r"%[srd]", "…", str(node.value))
    if isinstance(node, ast.JoinedStr):
        parts = (
            str(part.value) if isinstance(part, ast.Constant) else _ALWAYS.get(ast.unparse(part.value), "…")
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
        return "".join(parts)
    return None


def _of_script(file: Path) -> Iterator[Message]:
    script = file.read_text()
    for found in re.finditer(r'\bfail "([^"]+)"|\becho "([^"]+)" >&2', script):
        text = one_line(re.sub(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+", "…", found[1] or found[2]))
        yield Message(text, f"bin/{file.name}:{script.count(chr(10), 0, found.start()) + 1}")


def one_line(text: str) -> str:
    """Return a text on one line, runs of blanks and of … as one."""
    return re.sub(r"…(\s*…)+", "…", " ".join(text.split()))
