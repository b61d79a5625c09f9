"""The kinds of figures of all pages: each is registered where it is drawn.

`components.show_figure` shows no other, so that the guide can name and picture every one
(`capo_core.dashboard.guide.gallery`).
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure: its name in file names, its title in the guide, and its page's folder."""

    name: str
    title: str
    page: str


KINDS: dict[str, FigureKind] = {}
_KEY = "figure"  # in the figure's own description


def figure_kind(name: str, title: str) -> Callable[[Callable[..., go.Figure]], Callable]:
    """Register the decorated function, which returns a figure, as a kind.

    Raises:
        ValueError: another function has the name.
    """

    def register(draw: Callable[..., go.Figure]) -> Callable[..., go.Figure]:
        if name in KINDS:
            raise ValueError(f"two kinds of figures are called {name!r}")
        KINDS[name] = FigureKind(name, title, draw.__module__.split(".")[-2])

        @functools.wraps(draw)
        def drawn(*args, **more) -> go.Figure:
            return draw(*args, **more).update_layout(meta={_KEY: name})

        return drawn

    return register


def all_kinds() -> dict[str, FigureKind]:
    """Return the kinds of all pages by their names; every module of the dashboard is imported."""
    from capo_core import dashboard

    for module in pkgutil.walk_packages(dashboard.__path__, f"{dashboard.__name__}."):
        if ".start" not in module.name:  # the script that draws a page
            importlib.import_module(module.name)
    return dict(KINDS)


def kind_of(figure: go.Figure) -> FigureKind:
    """Return the kind of a figure.

    Raises:
        ValueError: no registered function drew it.
    """
    about = figure.layout.meta
    if not isinstance(about, dict) or about.get(_KEY) not in KINDS:
        raise ValueError("a figure is drawn by a function that `figure_kind` registers")
    return KINDS[about[_KEY]]
