"""Listing a workspace with 200 finished runs, of 5,000 events each, as a page does it.

`first` in a fresh process and a fresh workspace object, `again` the median of ten more; `advance`
is a look at the queue with nothing to begin.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

from measuring import report

from capo_core.imitation.config import SftConfig
from capo_core.jobs import queue, runs
from capo_core.jobs.record import Status
from capo_core.workspace import Workspace, write_json

RUNS, EVENTS = 200, 5000


def fill(workspace: Workspace) -> None:
    line = json.dumps({"t": 1.0, "event": "step", "step": 1, "loss": 0.5, "tokens_per_s": 900.0})
    for number in range(RUNS):
        settings = {
            "dataset": "demo-nli",
            "target": "A",
            "base": "embedded",
            "config": SftConfig(seed=number).to_dict(),
        }
        folder = workspace.runs / f"demo-nli-sft-A-{number:08x}"
        write_json(
            folder / "request.json",
            {"kind": "train_sft", "settings": settings, "order": number, "queued": 1.0},
        )
        write_json(folder / "config.json", {"stage": "sft", "settings": settings["config"]})
        write_json(folder / "result.json", {"steps": EVENTS})
        (folder / "events.jsonl").write_text(f"{line}\n" * EVENTS)
        runs.Run(folder).write(Status(state="succeeded", share=1.0, started=1.0, ended=2.0))


def listed(workspace: Workspace) -> float:
    start = time.perf_counter()
    states = [run.status().state for run in runs.every(workspace)]
    took = time.perf_counter() - start
    assert states == ["succeeded"] * RUNS
    return took


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fill(workspace)
        first = listed(workspace)
        again = statistics.median(listed(workspace) for _ in range(10))
        start = time.perf_counter()
        assert queue.advance(workspace) == []
        looked = time.perf_counter() - start
    report(
        {
            "runs": RUNS,
            "events_each": EVENTS,
            "first_s": round(first, 3),
            "again_s": round(again, 3),
            "advance_s": round(looked, 3),
        }
    )


if __name__ == "__main__":
    main()
