"""The registry of pages: every package of the dashboard that holds a `PAGE` is one.

A page's package holds `PAGE = Page(…)`; its module `page` has `show(context)`. Nothing of a page is
imported before it is opened.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import capo_core.dashboard


class Page(str):
    """A page: a string, its name in the address, with its title and place in the navigation.

    Attributes:
        title: its name in the navigation, and the title on the page.
        order: place in the navigation, ascending.
        needs_dataset: without any dataset, the page shows how to get one instead.
        needs_annotators: of a dataset of crowd counts alone, it says so instead.
    """

    title: str
    order: int
    needs_dataset: bool
    needs_annotators: bool

    def __new__(
        cls,
        name: str,
        *,
        title: str,
        order: int,
        needs_dataset: bool = True,
        needs_annotators: bool | None = None,
    ) -> Page:
        page = super().__new__(cls, name)
        page.needs_annotators = needs_dataset if needs_annotators is None else needs_annotators
        page.title, page.order, page.needs_dataset = title, order, needs_dataset
        return page

    @property
    def show(self) -> Callable[[Any], None]:
        """The function that draws the page's content for a `PageContext`."""
        return import_module(f"capo_core.dashboard.{self}.page").show


def pages() -> dict[str, Page]:
    """Return name → page of all pages, in the order of the navigation."""
    return dict(_pages(tuple(capo_core.dashboard.__path__)))


@cache  # asked for by every link that a page draws
def _pages(folders: tuple[str, ...]) -> dict[str, Page]:
    found = []
    for module in pkgutil.iter_modules(folders):
        if module.ispkg:
            package = import_module(f"capo_core.dashboard.{module.name}")
            page = getattr(package, "PAGE", None)
            if isinstance(page, Page):
                found.append(page)
    return {str(page): page for page in sorted(found, key=lambda page: page.order)}
