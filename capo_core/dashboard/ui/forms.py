"""Widgets of settings: they show the values of a form and write them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import streamlit as st

from capo_core.dashboard.ui import url_state
from capo_core.settings import setting_field


@dataclass(frozen=True)
class Setting:
    """One field of a form.

    Attributes:
        path: where its value is in the form's draft: "sft.lora.rank".
        label, help: text on the form; `help` is one sentence or two.
        kind: "whole", "number", "switch" or "choice".
        default: of its stage's settings class; None stands for what `empty` says.
        low, high, step: of numbers.
        options: of a choice.
        empty: meaning of an empty field, where that is allowed.
    """

    path: str
    label: str
    help: str
    kind: str = "whole"
    default: Any = None
    low: float = 0
    high: float | None = None
    step: float = 1
    options: Sequence[str] = ()
    empty: str = ""


_WHOLE_STEP, _NUMBER_STEP = 1, 0.05


def from_class(config: type, name: str, prefix: str = "", label: str = "") -> Setting:
    """Return the form's field for the setting `name` of a settings class.

    Args:
        prefix: where the class's settings are in the draft: "sft."; empty for the draft itself.
        label: instead of the setting's title, where a form shows two settings of one title.
    """
    about = setting_field(config, name)
    low, high = about.usual or (about.low, about.high)
    return Setting(
        prefix + name,
        label or about.title,
        f"{about.description} Configuration key: `{prefix}{name}`.",
        about.kind,
        about.default,
        0 if low is None else low,
        high,
        about.step or (_WHOLE_STEP if about.kind == "whole" else _NUMBER_STEP),
        about.choices,
        about.empty,
    )


class SettingsForm(Protocol):
    """A form whose values lie at dotted names."""

    def value(self, path: str, default: Any = None) -> Any:
        """Return the value at `path`; `default` where there is none."""

    def tie(
        self,
        path: str,
        default: Any,
        *,
        shown: Callable[[Any], Any] | None = None,
        typed: bool = False,
    ) -> dict[str, Any]:
        """Return key and callback that tie a widget to the value at `path`.

        Args:
            shown: from the form's value to the widget's.
            typed: it is a box one types into (see `url_state.typed`).
        """


def widget_arguments(key: str, value: Any, typed: bool) -> dict[str, Any]:
    """Return the key of a widget that is to show this value; of a box also the value."""
    if typed:
        return url_state.typed(key, value)
    st.session_state[key] = value
    return {"key": key}


def widget(form: SettingsForm, setting: Setting) -> None:
    """Show the widget of one setting, with its name, help and value."""
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


def _number(form: SettingsForm, setting: Setting, about: dict[str, Any]) -> None:
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
