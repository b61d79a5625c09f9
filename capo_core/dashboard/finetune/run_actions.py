"""Actions on a run (stop, resume, run again, notes, download, delete), and its files, cached."""

from __future__ import annotations

import io
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.finetune import PAGE
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import show_note
from capo_core.dashboard.ui.exports import download
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import ConfigError
from capo_core.export_formats import csv_text, json_lines
from capo_core.json_text import json_line, json_text
from capo_core.provenance import NAME, Provenance
from capo_core.runs import actions, events
from capo_core.runs.run import Run, find_run, is_run
from capo_core.runs.summary import RunSummary, flattened
from capo_core.workspace import Workspace

_TAIL_BYTES = 200_000


def events_of(run: Run) -> events.RunEvents:
    """Return the run's events; the file is read again only if it has changed."""
    path = run.files.events_path
    try:
        about = path.stat()
    except OSError:
        return events.RunEvents()
    return _events(path, about.st_mtime_ns, about.st_size)


@st.cache_resource(max_entries=12, show_spinner=False)
def _events(path: Path, stamp: int, size: int) -> events.RunEvents:
    return events.read_events(path)


def adapter_zip(run: Run, provenance: Provenance) -> bytes:
    """The adapter's folder, in PEFT's layout and with its card, as one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # The card of an earlier build has none.
        archive.writestr(f"{run.run_id}/{NAME}.json", json_text(provenance.to_dict()))
        for path in sorted(run.files.adapter.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, f"{run.run_id}/{path.relative_to(run.files.adapter)}")
    return buffer.getvalue()


def has_adapter(run: Run) -> bool:
    """Return whether a run has an adapter to download."""
    return (run.files.adapter / "adapter_config.json").is_file()


def outputs_jsonl(run: Run, provenance: Provenance) -> str:
    """The answers, one a line."""
    return json_lines(_answers(run), provenance)


def outputs_csv(run: Run, provenance: Provenance) -> str:
    """The answers as a table, safe for spreadsheets."""
    return csv_text(pd.DataFrame(_answers(run)), provenance)


def _answers(run: Run) -> list[dict[str, Any]]:
    lines = (run.folder / "outputs.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def has_outputs(run: Run) -> bool:
    """Return whether a run has generated anything."""
    path = run.folder / "outputs.jsonl"
    return path.is_file() and path.stat().st_size > 0


def last_outputs(run: Run, most: int) -> tuple[list[dict[str, Any]], int]:
    """The last answers of a generation, the newest first, and how many there are."""
    path = run.folder / "outputs.jsonl"
    try:
        with path.open("rb") as file:
            total = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
            start = max(0, file.tell() - _TAIL_BYTES)
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").split("\n")[1 if start else 0 : -1]
    except OSError:
        return [], 0
    found = []
    for line in reversed(lines):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
        if len(found) == most:
            break
    return found, total


def trashed(workspace: Workspace) -> list[tuple[str, str, float]]:
    """Runs in the trash, the last deleted first: name there, name of the run, when (seconds)."""
    if not workspace.trash.is_dir():
        return []
    found = []
    for folder in workspace.trash.iterdir():
        run_id, _, stamp = folder.name.rpartition("-")
        if run_id and stamp.isdecimal() and is_run(folder):
            found.append((folder.name, run_id, int(stamp) / 1000))
    return sorted(found, key=lambda each: -each[2])


# What one changes first, where the run has it.
_FIRST = ("config.epochs", "config.learning_rate", "config.beta", "config.examples", "config.seed")


def show(context: PageContext, seen: RunSummary) -> None:
    """Show the buttons available in the run's state, in one row."""
    if seen.status.live:
        _stop(context.workspace, seen)
    elif seen.state in ("stopped", "lost", "failed") and seen.can_repeat:
        point = actions.resume_point(seen.run)
        st.button(
            "Resume",
            type="primary",
            key="finetune.resume",
            on_click=guarded,
            args=(actions.resume, context.workspace, seen.run_id),
        )
        st.caption(f"It {point.words}.")
    if seen.can_repeat and seen.kind != "evaluate":
        with st.popover("Run again with changes"):
            _again(context.workspace, seen)
    with st.popover("Notes"):
        _notes(context.workspace, seen)
    _downloads(seen)
    if not seen.status.live:
        with st.popover("Delete …"):
            st.markdown("The run is moved to the trash folder and can be restored from there.")
            st.button(
                "Delete run",
                type="primary",
                key="finetune.delete",
                on_click=guarded,
                args=(_delete, context.workspace, seen.run_id),
            )


def _stop(workspace: Workspace, seen: RunSummary) -> None:
    waits = seen.state == "queued"
    st.button(
        "Remove from queue" if waits else "Stop and save",
        key="finetune.stop",
        on_click=guarded,
        args=(_stop_if_live, workspace, seen.run_id),
        disabled=seen.run.stop_asked,
    )
    if not waits:
        with st.popover("Stop without saving …"):
            show_note("Progress since the last checkpoint is lost.")
            st.button(
                "Stop without saving",
                type="primary",
                key="finetune.stop.now",
                on_click=guarded,
                args=(_stop_if_live, workspace, seen.run_id, True),
            )


def _stop_if_live(workspace: Workspace, run_id: str, now: bool = False) -> None:
    # It may have ended since the page was drawn; and on a busy machine a click may arrive twice.
    if find_run(workspace, run_id).status().live:
        actions.stop(workspace, run_id, now=now)


def _again(workspace: Workspace, seen: RunSummary) -> None:
    settings = flattened(seen.settings)
    places = {name: f"finetune.again.{name}" for name in _FIRST if name in settings}
    for name, place in places.items():
        shown = "" if settings[name] is None else json_line(settings[name])
        label = name.removeprefix("config.").replace("_", " ").capitalize()
        st.text_input(label, value=shown, key=f"{place}.{seen.run_id}", placeholder="default")
    more = f"finetune.again.more.{seen.run_id}"
    st.text_area(
        "Other settings, one per line",
        key=more,
        placeholder="config.accumulation=2",
        help=("name=value, with names as under Settings below; values are JSON or plain text."),
        height=90,
    )
    st.button(
        "Add to queue",
        type="primary",
        key="finetune.again",
        on_click=guarded,
        args=(_repeat, workspace, seen, places, more),
    )


def _repeat(workspace: Workspace, seen: RunSummary, places: dict[str, str], more: str) -> None:
    """Queue the run with other settings: of the boxes at `places`, and of the lines in `more`."""
    before = flattened(seen.settings)
    changes = {}
    for name, place in places.items():
        text = url_state.now(f"{place}.{seen.run_id}").strip()
        changes[name] = _value(text) if text else None
    for line in filter(None, map(str.strip, url_state.now(more).splitlines())):
        name, equals, text = line.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{line!r} is not a setting", expected="name=value, one per line")
        changes[name.strip()] = _value(text.strip())
    changes = {name: new for name, new in changes.items() if before.get(name) != new}
    run = actions.repeat(workspace, seen.run_id, changes)
    url_state.put(PAGE, {"run": run.run_id})


def _value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return text


def _notes(workspace: Workspace, seen: RunSummary) -> None:
    place = f"finetune.notes.{seen.run_id}"
    st.text_area("Notes on this run", value=seen.run.notes, key=place)
    st.button(
        "Save notes",
        key="finetune.notes.save",
        on_click=guarded,
        args=(_write_notes, workspace, seen.run_id, place),
    )


def _write_notes(workspace: Workspace, run_id: str, place: str) -> None:
    actions.write_notes(workspace, run_id, url_state.now(place))


def _downloads(seen: RunSummary) -> None:
    run, live = seen.run, seen.status.live
    adapter, outputs = not live and has_adapter(run), has_outputs(run)
    if not adapter and not outputs:
        return
    with st.popover("Download"):
        if adapter:
            _download("Adapter with model card (PEFT, zip)", "adapter.zip", "application/zip", run,
                      adapter_zip)  # fmt: skip
            show_note(
                "Loads with PEFT on the same base model; the model card describes the training."
            )
        if outputs:
            _download("Answers (CSV)", "answers.csv", "text/csv", run, outputs_csv)
            _download("Answers (JSONL)", "answers.jsonl", "application/jsonl", run,
                      outputs_jsonl)  # fmt: skip


def _download(label: str, name: str, mime: str, run: Run, make) -> None:
    download(PAGE, label, f"{run.run_id}-{name}", mime, partial(make, run), key=name)


def _delete(workspace: Workspace, run_id: str) -> None:
    actions.delete(workspace, run_id)
    url_state.put(PAGE, {"run": None, "view": "runs"})


def restore(workspace: Workspace, name: str) -> None:
    """Take a run out of the trash, and open it."""
    run = actions.restore(workspace, name)
    url_state.put(PAGE, {"view": "run", "run": run.run_id})


def thrown_away(context: PageContext) -> None:
    """Show the runs in the trash, each with a button to restore it."""
    found = trashed(context.workspace)
    if not found:
        return
    with st.expander(f"Trash ({len(found)})"):
        for name, run_id, _ in found[:50]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    "Restore",
                    key=f"finetune.trash.{name}",
                    on_click=guarded,
                    args=(restore, context.workspace, name),
                )
                st.caption(markdown(run_id))
        show_note(f"Folder: {context.workspace.trash}. Files there can be removed by hand.")
