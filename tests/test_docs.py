"""What the documentation names is there."""

import re
from functools import cache
from pathlib import Path

import pytest

from capo_core.cli import COMMANDS, load_command

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^):\s]*\.md)?#([^)\s]+)\)")
# The code of a page: blocks of indented or fenced lines, and words in backticks.
CODE = re.compile(r"`([^`\n]+)`|^(?:    |(?=python -m))(.+)$", re.MULTILINE)
OTHERS = re.compile(r"^(?:torchrun|accelerate|python -m pip|embedding-atlas) ")  # not our options
# A path in backticks, from the project's root or from the package: `text/tokens.py`.
PATH = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py|(?:[\w-]+/)+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that the headings of a page have on GitHub."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_anchors_are_headings(page):
    for file, anchor in ANCHOR.findall(page.read_text()):
        assert anchor in anchors((page.parent / file) if file else page), (file, anchor)


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    """By the whole path or its end: `training/losses.py` may stand for a file deeper down."""
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "capo_core").rglob("*")}
    files |= {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")}
    files |= {str(path.relative_to(ROOT)) for path in (ROOT / "benchmarks").glob("*.py")}
    named = PATH.findall(page.read_text())
    if page.name not in ("architecture.md", "contributing.md", "style.md"):
        named = [path for path in named if path.endswith(".py")]  # folders may be the user's
    for path in named:
        path = path.rstrip("/")
        found = any(file == path or file.endswith("/" + path) for file in files)
        assert found or (ROOT / path).exists() or "NAME" in path or path == "pages", path


def test_the_architecture_has_a_line_for_every_folder():
    text = (ROOT / "docs" / "architecture.md").read_text()
    tree = text[text.index("\ncapo_core/\n") : text.index("\nbenchmarks/ ")]
    folders = {
        path.name
        for path in (ROOT / "capo_core").rglob("*")
        if path.is_dir() and any(path.glob("*.py"))
    }
    known = {"migrations", "versions"}  # the database's, inside store/
    missing = {name for name in folders - known if f"{name}/" not in tree}
    assert missing == set()


@cache
def options() -> dict[str, set[str]]:
    """Return the options of each command, by its name: `data import`."""
    found = {}
    for name in COMMANDS:
        command = load_command(name)
        inner = getattr(command, "commands", None)
        for path, leaf in (
            [(name, command)] if inner is None else [(f"{name} {n}", c) for n, c in inner.items()]
        ):
            found[path] = {o for p in leaf.params for o in (*p.opts, *p.secondary_opts)}
    return found


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "settings.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_commands_and_options_exist(page):
    """A command exists and takes the options behind it; an option alone is that of some command."""
    known = set().union(*options().values()) | {"--help"}
    for path in (ROOT / "benchmarks").glob("*.py"):
        known |= set(re.findall(r'"(--[a-z][\w-]*)"', path.read_text()))
    for match in CODE.finditer(page.read_text()):
        code = (match[1] or match[2]).partition(" #")[0]
        called = re.search(r"(?:-m capo_core|^capo) ([a-z]+)(?: ([a-z][a-z-]*))?", code)
        words = called.groups("") if called else code.replace("|", " ").split()
        names = [words[0], " ".join(words[:2])] if words else []
        name = next((name for name in names if name in options()), None)
        if called and name is None:  # a group, with its help or with "…"
            assert called[1] in COMMANDS and called[2] is None, code
        if not OTHERS.search(code):
            allowed = options()[name] | {"--help"} if name else known
            assert set(re.findall(r"(?<!\S)--[a-z][\w-]*", code)) <= allowed, code


def test_the_command_overview_is_whole():
    text = (ROOT / "docs" / "commands.md").read_text()
    assert [name for name in options() if not re.search(rf"`{name}[ `]", text)] == []


def test_the_library_page_runs(tmp_path, monkeypatch):
    """Its blocks, one after the other, as a reader would copy them into a notebook."""
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "workspace"))
    text = (ROOT / "docs" / "library.md").read_text()
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "library.md", "exec"), names)  # our own page, written for this
    assert names["report"].headline and len(names["report"].ladder.to_frame()) == 4
    assert set(names["scores"].scores["source"]) >= {"human", "always the same"}
    assert len(names["pairs"].frame) and len(names["comparison"].table)


def test_every_environment_variable_is_in_the_command_overview():
    text = (ROOT / "docs" / "commands.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / "capo_core").rglob("*.py"))
    between_processes = {"CAPO_WORKER_THREADS"}  # set by the queue, not by a user
    named = set(re.findall(r"CAPO_[A-Z_]*[A-Z]\b", sources)) - between_processes
    assert {name for name in named if f"`{name}`" not in text} == set()


def test_the_index_names_every_document():
    text = (ROOT / "docs" / "README.md").read_text()
    documents = {str(page.relative_to(ROOT / "docs")) for page in PAGES[1:]} - {"README.md"}
    assert documents - set(LINK.findall(text)) == set()
