"""The draft of an experiment in its form: widgets show its values and write them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from capo_core.dashboard.finetune import draft, preflight
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import control_row
from capo_core.dashboard.ui.forms import Setting, widget, widget_arguments
from capo_core.workspace import Workspace


@dataclass(frozen=True)
class ExperimentForm:
    """The current draft, with the keys and callbacks of its widgets.

    A change lets the pre-flight check begin by itself.
    """

    workspace: Workspace
    draft: draft.Draft

    def value(self, path: str, default: Any = None) -> Any:
        return draft.value(self.draft, path, default)

    def put(self, path: str, value: Any) -> None:
        preflight.activate()
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
        """Return key and callback that tie a widget to the draft's value at `path`.

        Args:
            shown, meant: from the draft's value to the widget's, and back.
            typed: it is a box one types into (see `url_state.typed`).
        """
        key = f"finetune.form.{path}"
        value = self.value(path, default)
        tied = widget_arguments(key, shown(value) if shown else value, typed)

        def changed() -> None:
            new = url_state.now(key)
            self.put(path, meant(new) if meant else new)

        return {**tied, "on_change": changed}


def setting_rows(
    form: ExperimentForm, name: str, settings: Sequence[Setting], width: int = 3
) -> None:
    """Show settings in rows of `width`; `name` is of the rows, for the style sheet."""
    for start in range(0, len(settings), width):
        with control_row(f"finetune-{name}-{start}", [1] * width) as places:
            for place, setting in zip(places, settings[start : start + width], strict=False):
                with place:
                    widget(form, setting)
