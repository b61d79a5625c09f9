"""The shipped demo: four simulated annotators × 500 items for each task.

`python -m capo_core.simulation.demo [FOLDER]` writes it, by default to `data/`.

The simulated datasets that ship with the project, in `data/` at its root; read-only.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from capo_core.data.export import sidecar_text
from capo_core.data.importing import read_dataset
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.shipped import FOLDER
from capo_core.simulation.simulate import ORIGIN, Simulation, SimulationConfig, simulate
from capo_core.task import Task
from capo_core.workspace import make_folder

NAMES = ("demo-nli", "demo-paraphrase")


def names(folder: Path = FOLDER) -> list[str]:
    """The demos whose two files (table and task) are there."""
    return [name for name in NAMES if all(path.is_file() for path in _files(name, folder))]


def load(name: str, folder: Path = FOLDER) -> Dataset:
    """One demo; read once per process as long as its files stay the same.

    Raises:
        DataError: a file of the demo is damaged.
    """
    stamps = tuple((str(path), path.stat().st_mtime_ns) for path in _files(name, folder))
    return _load(name, stamps)


def _files(name: str, folder: Path) -> tuple[Path, Path]:
    return folder / f"{name}.csv", folder / f"{name}.json"


@lru_cache(maxsize=8)
def _load(name: str, stamps: tuple[tuple[str, int], ...]) -> Dataset:
    table, about = (Path(path) for path, _ in stamps)
    try:
        described = json.loads(about.read_text(encoding="utf-8"))
        task = Task.from_dict(described.get("task", described))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"the demo's description cannot be read ({error})",
            where=str(about),
            todo="get the project's files again",
        ) from None
    read = read_dataset(table, name=name, format="table", task=task)
    origin = described.get("origin") or "simulated annotators, shipped with the project"
    return replace(read.dataset, origin=origin, simulated=True)


COMMAND = "python -m capo_core.simulation.demo"
COLUMNS = ["item_id", "text_a", "text_b", "annotator_id", "label", "explanation", "valid"]
CONFIGS = {
    "demo-nli": SimulationConfig(
        task="nli",
        coverage=0.93,
        second_labels=0.04,
        validity=True,
        crowd=100,
        seed=30,
        name="demo-nli",
    ),
    "demo-paraphrase": SimulationConfig(
        task="paraphrase", coverage=0.98, seed=21, name="demo-paraphrase"
    ),
}


def table(simulation: Simulation) -> bytes:
    """The demo's CSV (UTF-8, long form: one row an annotation)."""
    dataset = simulation.dataset
    frame = dataset.annotations.merge(dataset.items, on="item_id", how="left")
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(frame[COLUMNS].itertuples(index=False, name=None))
    return written.getvalue().encode()


def description(name: str, simulation: Simulation, content: bytes) -> dict:
    """What stands beside the CSV: task, origin, how it was made, checksum, what was planted."""
    config = simulation.config
    return {
        "name": name,
        "task": simulation.dataset.task.to_dict(),
        "origin": f"{ORIGIN}: 4 annotators × 500 items, made by `{COMMAND}`",
        "simulated": True,
        "command": COMMAND,
        "sha256": hashlib.sha256(content).hexdigest(),
        "items": config.items,
        "annotations": len(simulation.dataset.annotations),
        "strength": {
            "manner": config.manner,
            "content": config.content,
            "label_bias": config.label_bias,
        },
        "seed": config.seed,
        "planted": [
            {
                "annotator_id": row.annotator_id,
                "phrase": row.phrase,
                "rate": round(row.rate, 3),
                "rate_others": round(row.rate_others, 3),
            }
            for row in simulation.planted.itertuples()
        ],
    }


def write_demo(name: str, folder: Path = FOLDER) -> dict:
    """Write one demo's files to `folder`; returns its description."""
    simulation = simulate(CONFIGS[name])
    content = table(simulation)
    about = description(name, simulation, content)
    make_folder(folder)
    (folder / f"{name}.csv").write_bytes(content)
    (folder / f"{name}.json").write_text(
        json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    if simulation.dataset.crowd is not None:
        (folder / f"{name}.csv.capo.json").write_text(
            sidecar_text(simulation.dataset) + "\n", encoding="utf-8"
        )
    return about


if __name__ == "__main__":
    for demo in CONFIGS:
        made = write_demo(demo, Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
        print(f"{demo}: {made['annotations']} annotations, sha256 {made['sha256']}")
