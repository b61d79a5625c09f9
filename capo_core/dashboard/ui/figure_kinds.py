"""The kinds of figures of all pages: each is registered where it is drawn.

`components.show_figure` shows no other, so that the guide can name and picture every one
(`capo_core.dashboard.guide.gallery`). A figure is drawn once for equal arguments: a click mostly
changes something else on its page, and drawing takes longer than all the rest of it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import pickle
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from capo_core.dataset import Dataset


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

    What it draws depends on its arguments alone, the theme among them; they are data, such as
    tables, texts and frozen objects (what cannot be pickled is drawn each time). The figure is
    shared, not to be changed.

    Raises:
        ValueError: another function has the name.
    """

    def register(draw: Callable[..., go.Figure]) -> Callable[..., go.Figure]:
        if name in KINDS:
            raise ValueError(f"two kinds of figures are called {name!r}")
        KINDS[name] = FigureKind(name, title, draw.__module__.split(".")[-2])

        @functools.wraps(draw)
        def drawn(*args, **more) -> go.Figure:
            def make() -> go.Figure:
                return draw(*args, **more).update_layout(meta={_KEY: name})

            content = _content((args, more))
            return make() if content is None else _drawn(name, content, make)

        return drawn

    return register


@st.cache_resource(max_entries=128, show_spinner=False)
def _drawn(name: str, content: str, _make: Callable[[], go.Figure]) -> go.Figure:
    return _make()


class _Pickler(pickle.Pickler):
    """A pickler for which a dataset is its name and fingerprint."""

    def persistent_id(self, value: Any) -> tuple[str, str] | None:
        return (value.name, value.fingerprint) if isinstance(value, Dataset) else None


def _content(arguments: tuple) -> str | None:
    """Return a hash of the arguments' content; None for arguments that cannot be pickled.

    It is taken of their pickle: for a table that takes a hundredth of the time of Streamlit's own
    hashing of arguments.
    """
    pickled = io.BytesIO()
    try:
        _Pickler(pickled, protocol=5).dump(arguments)
    except (pickle.PicklingError, TypeError, AttributeError):  # as pickle raises for such objects
        return None
    return hashlib.blake2b(pickled.getbuffer(), digest_size=16).hexdigest()


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
