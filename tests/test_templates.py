"""The shared template loader: escaping, missing values, style sheets, what the wheel carries."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from markupsafe import Markup

from capo_core import templates

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in for the folder of the package with two templates."""
    inside = tmp_path / "letters" / "templates"
    inside.mkdir(parents=True)
    (inside / "note.html.j2").write_text(
        '<style>{% include "letters/note.css" %}</style>\n'
        "{% for line in lines %}\n<p>{{ line }}</p>\n{% endfor %}\n"
    )
    (inside / "note.css").write_text("p > b {color: red}\n")
    monkeypatch.setattr(templates, "files", lambda package: tmp_path)
    templates.environment.cache_clear()
    yield tmp_path
    templates.environment.cache_clear()


def test_values_are_escaped_and_markup_and_style_are_not(folder):
    shown = templates.render("letters/note.html.j2", lines=["a < b & 'c'", Markup("<b>d</b>")])
    assert shown == (
        "<style>p > b {color: red}\n</style>\n<p>a &lt; b &amp; &#39;c&#39;</p>\n<p><b>d</b></p>\n"
    )


def test_a_missing_value_is_an_error(folder):
    with pytest.raises(UndefinedError, match="lines"):
        templates.render("letters/note.html.j2")


@pytest.mark.parametrize("name", ["letters/absent.html.j2", "note.html.j2", "other/note.html.j2"])
def test_a_missing_template_is_named(folder, name):
    with pytest.raises(TemplateNotFound, match=name):
        templates.render(name)


def test_all_templates_are_package_data():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["*"]
    found = list((ROOT / "capo_core").rglob("templates/*"))
    assert len(found) > 10
    for path in found:
        assert any(fnmatch(f"templates/{path.name}", pattern) for pattern in patterns), path


def test_all_templates_are_well_formed():
    found = list((ROOT / "capo_core").rglob("templates/*.j2"))
    assert len(found) > 10
    for path in found:
        folder = path.parent.parent.relative_to(ROOT / "capo_core").as_posix()
        assert templates.environment().get_template(f"{folder}/{path.name}") is not None
