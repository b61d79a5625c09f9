"""The scripts of `benchmarks/` start from a checkout, and `make bench` without options."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SCRIPTS = [
    path
    for path in sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))
    if "__main__" in path.read_text(encoding="utf-8")
]


def imported(tree: ast.Module) -> list[str]:
    """Return the packages a module imports when it is loaded, in order."""
    found = []
    for line in tree.body:
        if isinstance(line, ast.Import):
            found += [each.name.partition(".")[0] for each in line.names]
        elif isinstance(line, ast.ImportFrom):
            found.append(line.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_the_package_where_it_is_not_installed(path):
    # `measuring` puts the checkout on the path; a script's own path is benchmarks/.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    first = imported(tree)
    assert "measuring" in first
    if "capo_core" in first:
        assert first.index("measuring") < first.index("capo_core")


@pytest.mark.parametrize(
    "path", [path for path in SCRIPTS if path.stem.startswith("bench_")], ids=lambda path: path.stem
)
def test_make_bench_needs_no_options(path):
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") != "add_argument":
            continue
        name = call.args[0].value
        options = {each.arg: getattr(each.value, "value", None) for each in call.keywords}
        assert not options.get("required"), name
        assert name.startswith("-") or options.get("nargs") in ("*", "?"), name
