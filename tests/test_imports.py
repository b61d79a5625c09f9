"""Imports point down and never in a circle; the statistics start without the heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up: a package imports itself and what stands on a line above it. Packages of one
# line do not import each other.
FLOORS = (
    ("errors", "json_text", "progress", "formatting", "memory", "shipped", "templates"),
    ("findings", "schema", "task", "settings", "workspace", "provenance", "latex_text"),
    ("dataset", "file_download", "export_formats"),
    ("run_folder", "stats"),
    ("text", "data"),
    ("simulation", "looks"),
    ("stability",),
    ("imitation",),
    ("evaluation",),
    ("distributions",),
    ("leaderboards",),
    ("runs",),
    ("study",),
    ("atlas", "demo_results"),
    ("cli",),
    ("__main__",),
    ("dashboard",),
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# Imports against the order that are left to open; this list only gets shorter.
LEFT: set[tuple[str, str]] = set()
HEAVY = (
    "torch", "sentence_transformers", "transformers", "peft", "accelerate", "openai", "spacy",
)  # fmt: skip
SCREEN = ("streamlit", "plotly")


def source_files() -> list[Path]:
    """All modules of the package."""
    return sorted((ROOT / "capo_core").rglob("*.py"))


def module_name(path: Path) -> str:
    """ "capo_core.text.tokens"; a package's `__init__.py` has the package's name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def package_of(name: str) -> str:
    """The name in FLOORS that a module of the project belongs to."""
    parts = name.split(".")
    return parts[0] if parts[0] != "capo_core" else parts[1] if len(parts) > 1 else ""


def without_types(path: Path) -> ast.Module:
    """The file's syntax tree, without what is imported for annotations alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    return tree


def imports(path: Path, *, module_level: bool = False) -> set[str]:
    """Full names of all that a file imports; at `module_level`, only when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if module_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def import_graph() -> dict[str, set[str]]:
    """Module → modules of the project that it imports, wherever in the file.

    `from package import module` leads to the module, not to the package's `__init__.py`.
    """
    names = {module_name(path) for path in source_files()}
    graph = {}
    for path in source_files():
        found = set()
        for node in ast.walk(without_types(path)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found.add(inner if inner in names else node.module)
        graph[module_name(path)] = (found & names) - {module_name(path)}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan 1972), each sorted."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
                on_stack.discard(group[-1])
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_no_file_imports_itself_by_way_of_others():
    assert circles(import_graph()) == []


def test_a_circle_would_be_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


@pytest.mark.parametrize("path", source_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    own = package_of(module_name(path))
    if not own:
        return
    assert own in FLOOR, f"{own} has no place in FLOORS: add it"
    for name in imports(path):
        other = package_of(name)
        if (module_name(path), other) in LEFT:
            continue
        if name.startswith("capo_core.") and other != own:
            assert other in FLOOR, f"{path} imports {name}, which has no place in FLOORS"
            assert FLOOR[other] < FLOOR[own], f"{path} imports upwards or sideways: {name}"
        if name.split(".")[0] in SCREEN:
            assert own in ("dashboard",), f"{path} imports {name}"
    if own == "imitation":  # models live there; what is started without it stays light, see below
        return
    for name in imports(path, module_level=True):
        assert name.split(".")[0] not in HEAVY, f"{path} imports {name} at module level"


@pytest.mark.parametrize(
    "module",
    [
        "capo_core.stability.report",
        "capo_core.evaluation.table",
        "capo_core.cli",
        "capo_core.data.catalog",
        "capo_core.distributions.estimate",
        "capo_core.leaderboards.compute",
        "capo_core.imitation.pairs.files",
    ],
)
def test_statistics_start_without_heavy_libraries(module):
    """Checked in a fresh process: what a module pulls in by way of others counts too."""
    code = f"import sys, {module}; print([n for n in {(*HEAVY, *SCREEN)!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
