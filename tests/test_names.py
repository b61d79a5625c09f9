"""A class name has one meaning in the whole project."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Names that are still used twice; this list only gets shorter.
LEFT: set[str] = set()


def class_places(folder: Path) -> dict[str, list[str]]:
    """Class name → places ("file:line") of its definitions below `folder`, nested ones too.

    Private classes count as well: with `_Row` in two files, a reader still meets two meanings.
    """
    places = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(folder)}:{node.lineno}")
    return places


def repeated(folder: Path) -> dict[str, list[str]]:
    """Return the class names defined more than once, with their places."""
    return {name: where for name, where in class_places(folder).items() if len(where) > 1}


def test_no_two_classes_share_a_name():
    found = {
        name: where for name, where in repeated(ROOT / "capo_core").items() if name not in LEFT
    }
    assert not found, "\n".join(f"{name}: {', '.join(where)}" for name, where in found.items())


def test_the_list_of_names_left_gets_shorter():
    assert sorted(LEFT - repeated(ROOT / "capo_core").keys()) == [], "take these out of LEFT"


def test_a_shared_name_would_be_found(tmp_path):
    (tmp_path / "a.py").write_text("class Source:\n    pass\n")
    (tmp_path / "b.py").write_text(
        "def f():\n    class Source:\n        pass\n\nclass Other: ...\n"
    )
    assert repeated(tmp_path) == {"Source": ["a.py:1", "b.py:2"]}
