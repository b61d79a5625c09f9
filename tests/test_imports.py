"""Imports point down, and the statistics start without the heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lower numbers know nothing of higher ones. Folders of one number do not import each other, but
# for what is named in ALLOWED_BESIDE.
LEVEL = {
    "errors": 0,
    "progress": 0,
    "dataset": 0,
    "schema": 0,
    "task": 0,
    "workspace": 0,
    "data": 1,
    "text": 1,
    "stability": 2,
    "imitation": 2,
    "evaluation": 3,
    "distributions": 3,
    "jobs": 4,
    "experiment": 5,
    "study": 5,
    "cli_support": 6,
    "cli_data": 6,
    "cli_data_words": 6,
    "cli_stability": 6,
    "cli_pairs": 6,
    "cli_train": 6,
    "cli_generate": 6,
    "cli_base": 6,
    "cli_evaluate": 6,
    "cli_distributions": 6,
    "cli_distributions_models": 6,
    "cli_distributions_train": 6,
    "cli_judge": 6,
    "cli_retention": 6,
    "cli_profile": 6,
    "cli_models": 6,
    "cli_runs": 6,
    "cli_runs_words": 6,
    "cli_experiment": 6,
    "cli_study": 6,
    "cli_study_settings": 6,
    "cli_study_sessions": 6,
    "cli_study_analysis": 6,
    "cli": 7,
    "__main__": 8,
    "dashboard": 9,
    "pages": 10,
    "app": 10,
}
HEAVY = ("torch", "sentence_transformers", "transformers", "peft", "accelerate", "openai")
SCREEN = ("streamlit", "plotly")


def source_files() -> list[Path]:
    return [*sorted((ROOT / "capo_core").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py"))]


def part_of(path: Path) -> str:
    """The unit of LEVEL that a file belongs to."""
    inside = path.relative_to(ROOT)
    if inside.parts[0] != "capo_core":
        return inside.parts[0]
    return inside.parts[1].removesuffix(".py")


def imports(path: Path, *, module_level: bool = False) -> set[str]:
    """Full names of all modules imported in a file (only at module level, where asked)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if module_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", source_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    own = part_of(path)
    if own == "__init__":
        return
    assert own in LEVEL, f"{own} has no place in the order of the house: add it to LEVEL"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "capo_core" and len(parts) > 1:
            other = parts[1]
            assert other in LEVEL, f"{path} imports {name}, which has no place in LEVEL"
            assert other == own or LEVEL[other] <= LEVEL[own], f"{path} imports upwards: {name}"
            if LEVEL[own] in (1, 2) and other != own:
                assert LEVEL[other] < LEVEL[own] or LEVEL[own] == 1, f"{path} imports {name}"
        if parts[0] in SCREEN:
            assert own in ("dashboard", "pages"), f"{path} imports {name}"
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
    ],
)
def test_statistics_start_without_heavy_libraries(module):
    """Checked in a fresh process: what a module pulls in by way of others counts too."""
    code = f"import sys, {module}; print([n for n in {(*HEAVY, *SCREEN)!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
