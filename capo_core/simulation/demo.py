"""The shipped demo: four simulated annotators × 500 items for each task.

`python -m capo_core.simulation.demo [FOLDER]` writes it, by default to `data/`. The catalog reads
it from there like any other file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from pathlib import Path

from capo_core.data.export import sidecar_text
from capo_core.json_text import json_text
from capo_core.shipped import FOLDER
from capo_core.simulation.simulate import ORIGIN, Simulation, SimulationConfig, simulate
from capo_core.workspace import make_folder

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
    """Return the demo's CSV (UTF-8, long form: one row per annotation)."""
    dataset = simulation.dataset
    frame = dataset.annotations.merge(dataset.items, on="item_id", how="left")
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(frame[COLUMNS].itertuples(index=False, name=None))
    return written.getvalue().encode()


def description(name: str, simulation: Simulation, content: bytes) -> dict:
    """Return the JSON beside the CSV: task, origin, command, checksum, and the ground truth."""
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
            "manner": config.style,
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
            for row in simulation.ground_truth.itertuples()
        ],
    }


def write_demo(name: str, folder: Path = FOLDER) -> dict:
    """Write one demo's files to `folder` and return its description."""
    simulation = simulate(CONFIGS[name])
    content = table(simulation)
    about = description(name, simulation, content)
    make_folder(folder)
    (folder / f"{name}.csv").write_bytes(content)
    (folder / f"{name}.json").write_text(json_text(about, indent=1) + "\n", encoding="utf-8")
    if simulation.dataset.crowd is not None:
        (folder / f"{name}.csv.capo.json").write_text(
            sidecar_text(simulation.dataset) + "\n", encoding="utf-8"
        )
    return about


if __name__ == "__main__":
    for demo in CONFIGS:
        made = write_demo(demo, Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
        print(f"{demo}: {made['annotations']} annotations, sha256 {made['sha256']}")
