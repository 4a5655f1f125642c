# SPDX-License-Identifier: Apache-2.0
"""Hides how the tidy tests find and read the repository's files.

Every rule is a function from a text or a tree to findings, so that it can be shown a violation.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ROOT / "src" / "lingqu"
VERIFIER = ROOT / "packages" / "lingqu-verify" / "src" / "lingqu_verify"
DOMAINS = ("trust", "ledger", "supply", "rights", "market", "gate", "supervision", "interop")
LINE = ("kernel", "runtime", *DOMAINS, "wiring", "errands", "api", "ui", "cli")
VENDORED = PRODUCT / "ui" / "static"
GENERATED_OR_LOCAL = {
    ".git", ".venv", ".lingqu", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
    ".hypothesis", ".import_linter_cache", "site", "dist", "build", "node_modules",
}  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that breaks a rule. `where` is stable enough to name it in an allow-list."""

    where: str
    what: str

    def __str__(self) -> str:
        """Where and what, on one line."""
        return f"{self.where}: {self.what}"


@functools.cache
def kept_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, part of the repository (not what git ignores)."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(git, capture_output=True, text=True, check=False)
    if answer.returncode == 0 and answer.stdout:
        paths = [ROOT / name for name in answer.stdout.split("\0") if name]
    else:  # an unpacked archive has no git
        paths = [*ROOT.rglob("*")]
    return tuple(
        path
        for path in sorted(paths)
        if path.is_file() and not GENERATED_OR_LOCAL & set(path.relative_to(ROOT).parts)
    )


def files(*suffixes: str, under: Iterable[Path] = (ROOT,)) -> tuple[Path, ...]:
    """The kept files with one of these suffixes in one of these folders; nothing vendored."""
    return _files(suffixes, tuple(under))


@functools.cache
def _files(suffixes: tuple[str, ...], folders: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(
        path
        for path in kept_files()
        if path.suffix in suffixes
        and not path.is_relative_to(VENDORED)
        and any(path.is_relative_to(folder) for folder in folders)
    )


def name(path: Path) -> str:
    """A file as it is written in a message: from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def text(path: Path) -> str:
    """The whole text of a file."""
    return path.read_text(encoding="utf-8")


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text(path), filename=str(path))


def product_code() -> tuple[Path, ...]:
    """The Python files of both distributions."""
    return files(".py", under=(PRODUCT, VERIFIER))


def functions(module: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function with its dotted name inside the module, also methods and inner functions."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield f"{prefix}{child.name}", child
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    return walk(module, "")


def imported(node: ast.AST) -> tuple[str, ...]:
    """The modules an import statement names; empty for every other node."""
    if isinstance(node, ast.Import):
        return tuple(alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and not node.level:
        return (node.module or "",)
    return ()


def exceptions(rule: str) -> dict[str, str]:
    """The reviewed exceptions to a rule: where, and why. The list may only shrink."""
    table = tomllib.loads(text(ROOT / "tests" / "tidy" / "exceptions.toml"))
    return dict(table.get(rule, {}))


def judge(rule: str, findings: Iterable[Finding]) -> None:
    """Fail on every finding that is not a reviewed exception, and on exceptions gone stale."""
    allowed = exceptions(rule)
    found = list(findings)
    new = [str(finding) for finding in found if finding.where not in allowed]
    assert not new, "\n" + "\n".join(new)
    stale = sorted(set(allowed) - {finding.where for finding in found})
    assert not stale, f"no longer needed in exceptions.toml [{rule}]: {', '.join(stale)}"


def over(
    paths: Iterable[Path], rule: Callable[[ast.Module, str], Iterable[Finding]]
) -> Iterator[Finding]:
    """Apply a rule on syntax trees to each file."""
    for path in paths:
        yield from rule(tree(path), name(path))


def snippet(code: str, rule: Callable[[ast.Module, str], Iterable[Finding]]) -> list[str]:
    """What a rule finds in a piece of code; for showing it a violation."""
    return [finding.what for finding in rule(ast.parse(code), "planted.py")]


def face_names(module: ast.Module) -> tuple[str, ...]:
    """The names a module lists in `__all__`."""
    for node in module.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            return tuple(ast.literal_eval(node.value))  # type: ignore[attr-defined]  # an assignment
    return ()


def origins(module: ast.Module) -> dict[str, tuple[str, str]]:
    """Where each imported name of a module comes from: name -> (module, name there)."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in module.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def module_path(dotted: str) -> Path | None:
    """The file of one of our modules, or None."""
    for top, folder in (("lingqu_verify", VERIFIER), ("lingqu", PRODUCT)):
        if dotted == top or dotted.startswith(f"{top}."):
            path = folder.joinpath(*dotted.split(".")[1:])
            for candidate in (path / "__init__.py", path.with_suffix(".py")):
                if candidate.exists():
                    return candidate
    return None
