"""A run's files for the screen and for taking away; without Streamlit but for its memory."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from capo_core.dashboard import training
from capo_core.data.exporting import csv_text
from capo_core.jobs.runs import Run, is_run
from capo_core.workspace import Workspace

_TAIL_BYTES = 200_000


def events_of(run: Run) -> training.Events:
    """The run's events; read anew only where the file has changed."""
    path = run.files.events_path
    try:
        about = path.stat()
    except OSError:
        return training.Events()
    return _events(path, about.st_mtime_ns, about.st_size)


@st.cache_resource(max_entries=12, show_spinner=False)
def _events(path: Path, stamp: int, size: int) -> training.Events:
    return training.read(path)


def adapter_zip(run: Run) -> bytes:
    """The adapter's folder, in PEFT's layout and with its card, as one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(run.files.adapter.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, f"{run.run_id}/{path.relative_to(run.files.adapter)}")
    return buffer.getvalue()


def has_adapter(run: Run) -> bool:
    return (run.files.adapter / "adapter_config.json").is_file()


def outputs_jsonl(run: Run) -> bytes:
    return (run.folder / "outputs.jsonl").read_bytes()


def outputs_csv(run: Run) -> bytes:
    """The answers as a table, safe for spreadsheets."""
    lines = (run.folder / "outputs.jsonl").read_text(encoding="utf-8").split("\n")
    return csv_text(pd.DataFrame([json.loads(line) for line in lines if line])).encode("utf-8")


def has_outputs(run: Run) -> bool:
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
