"""A workspace with 200 finished runs, of 5,000 events each: listed, and on the page Fine-tune.

`first` in a fresh process and a fresh workspace object, `again` the median of ten more; `advance`
is a look at the queue with nothing to begin. `page` is what the server computes until a view of
the page is whole, beginning with the call of the page, in a session of its own; the process has
shown the page of an empty workspace before, since importing is done once. `click` is another run
of the same session: the list filtered, sorted by group, two runs chosen. `cpu` beside the seconds
by the clock is the processor's time, which other work on the machine does not lengthen.
"""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from measuring import ROOT, report
from streamlit import config as streamlit_config
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from capo_core.cli.start import SCRIPT
from capo_core.imitation.training.config import SftConfig
from capo_core.runs import queue
from capo_core.runs import run as runs_run
from capo_core.runs.status import Status
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
        runs_run.Run(folder).write(Status(state="succeeded", share=1.0, started=1.0, ended=2.0))


def listed(workspace: Workspace) -> float:
    start = time.perf_counter()
    states = [run.status().state for run in runs_run.all_runs(workspace)]
    took = time.perf_counter() - start
    assert states == ["succeeded"] * RUNS
    return took


def opened(view: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(SCRIPT), default_timeout=120)
    for key, value in {"dataset": "demo-nli", "view": view, **query}.items():
        app.query_params[key] = value
    app._page_hash = calc_hash("finetune")  # as for an address
    return app


def measured(app: AppTest) -> tuple[float, float]:
    start, cpu = time.perf_counter(), time.process_time()
    app.run()
    took = time.perf_counter() - start, time.process_time() - cpu
    assert not app.exception, app.exception
    return took


def medians(times: list[tuple[float, float]]) -> dict:
    walls, processor = zip(*times, strict=True)
    return {
        "wall_s": round(statistics.median(walls), 3),
        "cpu_s": round(statistics.median(processor), 3),
    }


def page(view: str, **query: str) -> dict:
    """Seconds until a view of the page stands, by the clock and of the processor; medians of 5."""
    return medians([measured(opened(view, **query)) for _ in range(5)])


def clicks() -> dict:
    """Seconds of a click in the list of all runs, for each kind of click; medians of 5."""
    app = opened("runs")
    measured(app)
    found = {}
    for name, query in (
        ("again", {}),
        ("filtered", {"state": "succeeded"}),
        ("compared", {"pick": "demo-nli-sft-A-00000000~demo-nli-sft-A-00000001"}),
    ):
        times = []
        for _ in range(5):
            for key, value in query.items():
                app.query_params[key] = value
            times.append(measured(app))
        found[name] = medians(times)
    return found


def pages(workspace: Workspace) -> dict:
    with tempfile.TemporaryDirectory() as empty:
        os.environ["CAPO_WORKSPACE"] = empty
        for view in ("now", "runs", "run"):
            page(view)
    os.environ["CAPO_WORKSPACE"] = str(workspace.root)
    last = runs_run.all_runs(workspace)[-1].run_id
    return {
        "queue": page("now"),
        "all_runs": page("runs"),
        "one_run": page("run", run=last),
        "click": clicks(),
    }


def main() -> None:
    streamlit_config._main_script_path = str(SCRIPT)
    streamlit_config.get_config_options(force_reparse=True)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fill(workspace)
        first = listed(workspace)
        again = statistics.median(listed(workspace) for _ in range(10))
        start = time.perf_counter()
        assert queue.advance(workspace) == []
        looked = time.perf_counter() - start
        os.chdir(ROOT)
        opened = pages(workspace)
    report(
        {
            "runs": RUNS,
            "events_each": EVENTS,
            "first_s": round(first, 3),
            "again_s": round(again, 3),
            "advance_s": round(looked, 3),
            "page": opened,
        }
    )


if __name__ == "__main__":
    main()
