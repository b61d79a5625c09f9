"""What can be done about a run: stop, resume, run again, note, take away, delete."""

from __future__ import annotations

import json

import streamlit as st

from capo_core.dashboard import finetune_files as files
from capo_core.dashboard import state
from capo_core.dashboard.components import note
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.run_words import Seen, flat
from capo_core.dashboard.words import markdown
from capo_core.errors import ConfigError
from capo_core.jobs import actions
from capo_core.jobs.runs import Run, find
from capo_core.workspace import Workspace

PAGE = "finetune"
# What one changes first, where the run has it.
_FIRST = ("config.epochs", "config.learning_rate", "config.beta", "config.examples", "config.seed")


def show(frame: Frame, seen: Seen) -> None:
    """The buttons that make sense in the run's state, in one row."""
    if seen.status.live:
        _stop(frame.workspace, seen)
    elif seen.state in ("stopped", "lost", "failed") and seen.can_repeat:
        point = actions.resume_point(seen.run)
        st.button(
            "Resume",
            type="primary",
            key="finetune.resume",
            on_click=safely,
            args=(actions.resume, frame.workspace, seen.run_id),
        )
        st.caption(f"It {point.words}.")
    if seen.can_repeat and seen.kind != "evaluate":
        with st.popover("Run again, changed"):
            _again(frame.workspace, seen)
    with st.popover("Notes"):
        _notes(frame.workspace, seen)
    _downloads(seen)
    if not seen.status.live:
        with st.popover("Delete …"):
            st.markdown("The run goes to the trash folder and can be taken back from there.")
            st.button(
                "Delete it",
                type="primary",
                key="finetune.delete",
                on_click=safely,
                args=(_delete, frame.workspace, seen.run_id),
            )


def _stop(workspace: Workspace, seen: Seen) -> None:
    waits = seen.state == "queued"
    st.button(
        "Take out of the queue" if waits else "Stop and save",
        key="finetune.stop",
        on_click=safely,
        args=(_stop_if_live, workspace, seen.run_id),
        disabled=seen.run.stop_asked,
    )
    if not waits:
        with st.popover("Stop at once …"):
            note("It ends without saving: what came after its last checkpoint is lost.")
            st.button(
                "Stop at once",
                type="primary",
                key="finetune.stop.now",
                on_click=safely,
                args=(_stop_if_live, workspace, seen.run_id, True),
            )


def _stop_if_live(workspace: Workspace, run_id: str, now: bool = False) -> None:
    # It may have ended since the page was drawn; and on a busy machine a click may arrive twice.
    if find(workspace, run_id).status().live:
        actions.stop(workspace, run_id, now=now)


def _again(workspace: Workspace, seen: Seen) -> None:
    settings = flat(seen.settings)
    places = {name: f"finetune.again.{name}" for name in _FIRST if name in settings}
    for name, place in places.items():
        shown = "" if settings[name] is None else json.dumps(settings[name])
        label = name.removeprefix("config.").replace("_", " ").capitalize()
        st.text_input(label, value=shown, key=f"{place}.{seen.run_id}", placeholder="by itself")
    more = st.text_area(
        "Other settings, one a line",
        key=f"finetune.again.more.{seen.run_id}",
        placeholder="config.accumulation=2",
        help="name=value, as under Settings below; a value is JSON, or a text.",
        height=90,
    )
    st.button(
        "Put it into the queue",
        type="primary",
        key="finetune.again",
        on_click=safely,
        args=(_repeat, workspace, seen, places, more),
    )


def _repeat(workspace: Workspace, seen: Seen, places: dict[str, str], more: str) -> None:
    before = flat(seen.settings)
    changes = {}
    for name, place in places.items():
        text = state.now(f"{place}.{seen.run_id}").strip()
        changes[name] = _value(text) if text else None
    for line in filter(None, map(str.strip, more.splitlines())):
        name, equals, text = line.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{line!r} is no setting", expected="name=value, one a line")
        changes[name.strip()] = _value(text.strip())
    changes = {name: new for name, new in changes.items() if before.get(name) != new}
    run = actions.again(workspace, seen.run_id, changes)
    state.put(PAGE, {"run": run.run_id})


def _value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return text


def _notes(workspace: Workspace, seen: Seen) -> None:
    place = f"finetune.notes.{seen.run_id}"
    text = st.text_area("What is to be remembered of this run", value=seen.run.notes, key=place)
    st.button(
        "Save the notes",
        key="finetune.notes.save",
        on_click=safely,
        args=(actions.write_notes, workspace, seen.run_id, text),
    )


def _downloads(seen: Seen) -> None:
    run, live = seen.run, seen.status.live
    adapter, outputs = not live and files.has_adapter(run), files.has_outputs(run)
    if not adapter and not outputs:
        return
    with st.popover("Take away"):
        if adapter:
            _download("Adapter with its card (PEFT, zip)", "adapter.zip", "application/zip", run,
                      files.adapter_zip)  # fmt: skip
            note("Loads with peft on the same base; the card says how it was made.")
        if outputs:
            _download("Answers (CSV)", "answers.csv", "text/csv", run, files.outputs_csv)
            _download("Answers (JSONL)", "answers.jsonl", "application/jsonl", run,
                      files.outputs_jsonl)  # fmt: skip


def _download(label: str, name: str, mime: str, run: Run, make) -> None:
    st.download_button(
        label,
        lambda: make(run),
        file_name=f"{run.run_id}-{name}",
        mime=mime,
        key=f"finetune.take.{name}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def _delete(workspace: Workspace, run_id: str) -> None:
    actions.delete(workspace, run_id)
    state.put(PAGE, {"run": None, "view": "runs"})


def restore(workspace: Workspace, name: str) -> None:
    """Take a run out of the trash, and open it."""
    run = actions.restore(workspace, name)
    state.put(PAGE, {"view": "run", "run": run.run_id})


def thrown_away(frame: Frame) -> None:
    """What lies in the trash, each with the way back."""
    found = files.trashed(frame.workspace)
    if not found:
        return
    with st.expander(f"Trash ({len(found)})"):
        for name, run_id, _ in found[:50]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    "Restore",
                    key=f"finetune.trash.{name}",
                    on_click=safely,
                    args=(restore, frame.workspace, name),
                )
                st.caption(markdown(run_id))
        note(f"The folder is {frame.workspace.trash}; what is not needed can be removed there.")
