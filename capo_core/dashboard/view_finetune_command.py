"""The experiment as a command and as a file, to copy, to save and to load again."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import draft, state
from capo_core.dashboard.components import heading, note
from capo_core.dashboard.frame import Frame, safely
from capo_core.errors import ConfigError
from capo_core.experiment.config import ExperimentConfig

PAGE = "finetune"


def show(config: ExperimentConfig) -> None:
    heading("The same as a command, and as a file")
    command = draft.command(config)
    st.code(command, language="bash", wrap_lines=True)
    note(
        f"With {draft.FILE_NAME} beside it, that is: save it below."
        if draft.FILE_NAME in command
        else "The same runs, in the same workspace: what is done there is seen here."
    )
    text = draft.as_json(config)
    st.download_button(
        f"Save as {draft.FILE_NAME}",
        text,
        file_name=draft.FILE_NAME,
        mime="application/json",
        key="finetune.save",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
    with st.expander("Configuration (JSON)"):
        st.code(text, language="json")


def load(frame: Frame) -> None:
    """A configuration from a file or from the clipboard, into the form."""
    with st.popover("Load a configuration"):
        uploaded = st.file_uploader("A file", type=["json"], key="finetune.load.file")
        pasted = st.text_area("Or paste it", key="finetune.load.text", height=160)
        st.button(
            "Put it into the form",
            key="finetune.load",
            on_click=safely,
            args=(_load, frame, uploaded, pasted),
            disabled=uploaded is None and not pasted.strip(),
        )
        note("What stands in the form is replaced.")


def _load(frame: Frame, uploaded, pasted: str) -> None:
    text = pasted if uploaded is None else uploaded.getvalue().decode("utf-8", "replace")
    config = draft.read(text)
    known = {entry.name for entry in frame.entries}
    if config.dataset not in known:
        raise ConfigError(
            f"the configuration is for the dataset {config.dataset!r}, which is not here",
            where="the configuration",
            todo="import that dataset first, or change the name in the file",
        )
    draft.keep(frame.workspace, draft.plain(config))
    if config.dataset != frame.entry.name:
        state.put(PAGE, {state.DATASET: config.dataset})
