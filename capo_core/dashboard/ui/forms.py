"""Widgets of the fine-tuning form: they show the values of the draft and write them back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from capo_core.dashboard.finetune import draft
from capo_core.dashboard.finetune.fields import Setting
from capo_core.dashboard.ui import url_state
from capo_core.workspace import Workspace


@dataclass(frozen=True)
class Form:
    """The current draft, with the keys and callbacks of its widgets."""

    workspace: Workspace
    draft: draft.Draft

    def value(self, path: str, default: Any = None) -> Any:
        return draft.value(self.draft, path, default)

    def put(self, path: str, value: Any) -> None:
        draft.put(self.workspace, self.draft, path, value)

    def tie(
        self,
        path: str,
        default: Any,
        *,
        shown: Callable[[Any], Any] | None = None,
        meant: Callable[[Any], Any] | None = None,
        typed: bool = False,
    ) -> dict[str, Any]:
        """Key and callback that tie a widget to the draft's value at `path`.

        Args:
            shown, meant: from the draft's value to the widget's, and back.
            typed: it is a box one types into (see `state.typed`).
        """
        key = f"finetune.form.{path}"
        value = self.value(path, default)
        tied = given(key, shown(value) if shown else value, typed)

        def changed() -> None:
            new = url_state.now(key)
            self.put(path, meant(new) if meant else new)

        return {**tied, "on_change": changed}


def given(key: str, value: Any, typed: bool) -> dict[str, Any]:
    """The key of a widget that is about to be drawn with this value; of a box also the value."""
    if typed:
        return url_state.typed(key, value)
    st.session_state[key] = value
    return {"key": key}


def widget(form: Form, setting: Setting) -> None:
    """The widget of one setting: its name, its help, its value."""
    about: dict[str, Any] = {"help": setting.help}
    if setting.kind == "switch":
        st.toggle(setting.label, **about, **form.tie(setting.path, setting.default))
    elif setting.kind == "choice":
        tied = form.tie(setting.path, setting.default)
        options = list(setting.options)
        if st.session_state[tied["key"]] not in options:  # what was loaded and is not on offer
            options.append(st.session_state[tied["key"]])
        st.selectbox(setting.label, options, **about, **tied)
    else:
        _number(form, setting, about)


def _number(form: Form, setting: Setting, about: dict[str, Any]) -> None:
    as_type = int if setting.kind == "whole" else float
    low, high = as_type(setting.low), None if setting.high is None else as_type(setting.high)
    value = form.value(setting.path)
    if value is None:
        value = setting.default
    if value is not None:
        # A widget refuses what is no number or lies outside; the draft keeps it, and the error of
        # the whole says what is wrong.
        try:
            value = as_type(value)
        except (TypeError, ValueError):
            value = as_type(setting.default or low)
        value = max(low, value) if high is None else min(high, max(low, value))
    st.number_input(
        setting.label,
        min_value=low,
        max_value=high,
        step=as_type(setting.step),
        **({"placeholder": setting.empty} if setting.default is None else {}),
        format="%d" if as_type is int else "%.6g",
        **about,
        **form.tie(setting.path, setting.default, shown=lambda _: value, typed=True),
    )
