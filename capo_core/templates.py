"""HTML and SVG from Jinja2 templates in the `templates` folder of the package that uses them.

Everything that a template prints is escaped, and a value that a template needs and does not get is
an error, not an empty place. A style sheet lies beside the templates as a `.css` file and is
included (`{% include "evaluation/report.css" %}`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound


class PackageTemplates(BaseLoader):
    """Finds "evaluation/report.html.j2" as `capo_core/evaluation/templates/report.html.j2`."""

    def get_source(self, environment: Environment, template: str):
        folder, _, name = template.rpartition("/")
        path = files("capo_core").joinpath(*folder.split("/"), "templates", name)
        if not folder or not path.is_file():
            raise TemplateNotFound(template)
        return path.read_text(encoding="utf-8"), None, None


@cache
def environment() -> Environment:
    """Return the one environment of all templates; lines of tags alone leave no blank lines."""
    return Environment(
        loader=PackageTemplates(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def style(sheet: str) -> str:
    """Return a style sheet of a package, "dashboard/ui/page.css", as an HTML element."""
    return f"<style>{asset(sheet)}</style>"


def asset(name: str) -> str:
    """Return the text of a script or style sheet of a package, "dashboard/judging/desk.js"."""
    folder, _, file = name.rpartition("/")
    path = files("capo_core").joinpath(*folder.split("/"), "templates", file)
    return path.read_text(encoding="utf-8")


def render(template: str, /, **values: object) -> str:
    """Return a template filled with `values`, each escaped where it is printed.

    To embed rendered output in another template, pass it as `markupsafe.Markup`, or use an
    `include`.

    Args:
        template: folder of a package below `capo_core` and file name, "evaluation/report.html.j2".

    Raises:
        jinja2.TemplateNotFound: there is no such file.
        jinja2.UndefinedError: the template prints a value that is not among `values`.
    """
    return environment().get_template(template).render(**values)
