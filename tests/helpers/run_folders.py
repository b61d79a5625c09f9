"""Folders of runs as the queue and a training leave them, without either."""

from __future__ import annotations

import json

from capo_core.runs.run import Run
from capo_core.runs.status import Status
from capo_core.workspace import Workspace, write_json


def sft_settings(dataset: str = "mine", target: str = "ann", **config) -> dict:
    return {"dataset": dataset, "target": target, "base": "embedded", "config": config}


def capo_settings(sft: str, dataset: str = "mine", target: str = "ann", **config) -> dict:
    return {"dataset": dataset, "target": target, "sft": sft, "config": config}


def put_run(
    workspace: Workspace,
    name: str,
    kind: str = "train_sft",
    settings: dict | None = None,
    order: int = 1,
    **status,
) -> Run:
    """A run of that name, as it stands by `status`."""
    run = Run(workspace.runs / name)
    request = {
        "kind": kind, "settings": sft_settings() if settings is None else settings,
        "order": order, "queued": 1_700_000_000.0 + order,
    }  # fmt: skip
    write_json(run.folder / "request.json", request)
    if status.get("state") == "succeeded":
        status = {"share": 1.0, "started": 100.0, "ended": 161.0, **status}
    run.write(Status(**status))
    return run


def write_events(run: Run, *events: dict) -> None:
    lines = (json.dumps({"t": 1.0, **event}) + "\n" for event in events)
    run.files.events_path.write_text("".join(lines), encoding="utf-8")


def a_training(item_id: str = "i3", target: str = "ann", steps: int = 6) -> list[dict]:
    """The events of a short CAPO training: each step a little better."""
    found: list[dict] = [
        {"event": "started", "step": 0},
        {"event": "engine", "engine": "group", "asked": "tree", "reason": "the tree is inexact"},
        {"event": "note", "note": "training items", "count": 12},
        {"event": "validation", "step": 0, "loss": 0.69, "margin": 0.0, "reward_accuracy": 0.0,
         "chosen_change": 0.0, "rejected_change": 0.0, "best": True},
    ]  # fmt: skip
    for step in range(1, steps + 1):
        found.append(
            {"event": "step", "step": step, "loss": 0.7 - step / 20, "margin": step / 10,
             "reward_accuracy": 0.5 + step / 20, "chosen_change": -step / 10,
             "rejected_change": -step, "tokens_per_s": 100.0 * step, "learning_rate": 1e-3,
             "grad_norm": 0.5}
        )  # fmt: skip
        if step % 3 == 0:
            found += [
                {"event": "validation", "step": step, "loss": 0.7 - step / 25, "margin": step / 12,
                 "reward_accuracy": 0.5 + step / 25, "chosen_change": -step / 9,
                 "rejected_change": -step, "best": True},
                {"event": "probe", "step": step, "target_share": step / 10, "low": step / 20,
                 "high": 0.9, "chance": 0.25, "n": 24},
                {"event": "sample", "step": step, "item_id": item_id, "target_annotator_id": target,
                 "text": f"Label: neutral\nExplanation: written at step {step}"},
                {"event": "checkpoint", "step": step},
            ]  # fmt: skip
    return found
