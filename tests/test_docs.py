"""What the documentation names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
# A path in backticks, from the project's root or from the package: `text/tokens.py`.
PATH = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py|(?:[\w-]+/)+)`")
FOLDERS = ("", "capo_core", "capo_core/imitation", "capo_core/dashboard", "capo_core/study")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("name", ["architecture.md", "contributing.md", "style.md"])
def test_files_that_are_named_exist(name):
    """By the whole path or its end: `training/losses.py` may stand for a file deeper down."""
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "capo_core").rglob("*")}
    files |= {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")}
    files |= {str(path.relative_to(ROOT)) for path in (ROOT / "benchmarks").glob("*.py")}
    named = PATH.findall((ROOT / "docs" / name).read_text())
    assert named or name == "style.md"
    for path in named:
        path = path.rstrip("/")
        found = any(file == path or file.endswith("/" + path) for file in files)
        assert found or (ROOT / path).exists() or "NAME" in path or path == "pages", path


def test_the_readme_has_a_line_for_every_folder():
    text = (ROOT / "README.md").read_text()
    tree = text[text.index("capo_core/\n") : text.index("benchmarks/ ")]
    folders = {
        path.name
        for path in (ROOT / "capo_core").rglob("*")
        if path.is_dir() and any(path.glob("*.py"))
    }
    known = {"migrations", "versions"}  # the database's, inside store/
    missing = {name for name in folders - known if f"{name}/" not in tree}
    assert missing == set()
