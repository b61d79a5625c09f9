"""The way from a score or a picture to the answers behind it."""

from __future__ import annotations

from capo_core.dashboard import leading, state
from capo_core.dashboard.view_methods_choice import PAGE

_SETTINGS = ("item", "as", "outcome", "given", "label", "order")


def open_answers(method: str, **query: str | None) -> None:
    """Show the answers of a method ("" for all), and bring them into sight.

    Args:
        query: settings of `view_methods_items`; those not named have their defaults.
    """
    leading.ask(PAGE)
    state.put(PAGE, {**dict.fromkeys(_SETTINGS), **query, "method": method, "part": "answers"})
