"""Runs for the command line: as JSON, as lines, as a table; settings as they are typed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rich.table import Table

from capo_core.cli_support import console
from capo_core.errors import CapoError, ConfigError


def as_dict(run: Any, status: Any) -> dict:
    from capo_core.jobs import queue, runs

    about = {
        "run": run.run_id,
        "folder": str(run.folder),
        "state": status.state,
        "message": status.message,
        "share": status.share,
        "seconds": round(status.duration_s(), 2),
        "left_s": status.left_s(),
        "silent_s": round(runs.slow_s(status), 1),
        "peak_bytes": status.peak_bytes,
        "gpu_peak_bytes": status.gpu_peak_bytes,
    }
    if status.state != runs.BROKEN:
        try:
            request = run.request
        except CapoError:  # begun by something that writes no request
            return about
        about |= {"kind": request.kind, "after": list(request.waits_for), "queued": request.queued}
        if status.state == "queued" and not status.pid:
            about["message"] = queue.waits_for(run) or status.message
    return about


def lines_of(about: dict) -> list[str]:
    from capo_core.jobs.memory import in_words

    lines = [f"{about['run']} ({about.get('kind', 'unknown kind')})"]
    lines.append(f"  {about['state']}: {about['message']}")
    if about["state"] in ("stopped", "lost", "failed"):
        lines.append(f"  {about['goes_on']} (runs resume)")
    if about["seconds"]:
        lines.append(f"  worked for {span(about['seconds'])}")
    if about["peak_bytes"]:
        lines.append(f"  memory at most {in_words(about['peak_bytes'])}")
    if about["gpu_peak_bytes"]:
        lines.append(f"  memory of the GPU at most {in_words(about['gpu_peak_bytes'])}")
    if about["estimate"]:
        lines += [f"  expected: {sentence}" for sentence in about["estimate"].get("sentences", [])]
    if about["notes"]:
        lines.append(f"  notes: {about['notes'].strip()}")
    lines.append(f"  folder {about['folder']}")
    for title in ("settings", "result"):
        if about[title]:
            text = json.dumps(about[title], indent=2, ensure_ascii=False)
            lines += [f"  {title}:", *(f"    {line}" for line in text.splitlines())]
    return lines


def print_runs(found: list) -> None:
    table = Table(box=None)
    table.add_column("run", no_wrap=True)
    for heading in ("state", "done", "time", "asked", "message"):
        table.add_column(heading)
    for run, status in found:
        about = as_dict(run, status)
        asked = about.get("queued")
        table.add_row(
            run.run_id,
            status.state,
            f"{status.share:.0%}",
            span(about["seconds"]),
            datetime.fromtimestamp(asked).strftime("%m-%d %H:%M") if asked else "",
            about["message"],
        )
    console.print(table, markup=False)


def span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def changes_of(texts: list[str]) -> dict[str, Any]:
    """`name=value` as a dictionary; a value that is JSON is read as such, else it is a text."""
    found = {}
    for text in texts:
        name, equals, raw = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{text!r} is no setting", expected="name=value", where="--set")
        try:
            found[name] = json.loads(raw)
        except ValueError:
            found[name] = raw
    return found
