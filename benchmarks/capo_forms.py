"""Forms of CAPO on one annotator, each with one setting changed, compared on validation items only.

    CAPO_WORKSPACE=… python benchmarks/capo_forms.py --dataset varierr --sft RUN [--form NAME …]
        [--submit] --out forms.json

All begin with the adapter of the SFT run and have the settings of the preset `people`, but for what
the form's name says. Their strength is chosen as every calibrated run chooses it: on the validation
items that the annotator explained, by the distance of the answers from the annotator's own texts,
among the strengths that keep the labels. The test part is not read. --submit puts the trainings
into the queue (a training that exists is not repeated); without it, what has ended is reported: of
SFT, the chosen strength and the largest that was answered (those beyond, which cannot be nearer,
are left out) the distance in points, the shares attributed to the annotator by each classifier, and
the share of right labels, with n.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measuring import machine

from capo_core.data.catalog import Catalog
from capo_core.imitation.training.config import CapoConfig
from capo_core.run_folder import RunFolder
from capo_core.runs import submit
from capo_core.runs.actions import with_changes
from capo_core.runs.experiments.config import from_preset
from capo_core.runs.kinds.training import capo_request
from capo_core.runs.run import Run
from capo_core.settings import as_json
from capo_core.workspace import Workspace

# With a response's log-probability divided by its tokens (some 20), beta must be that much larger.
FORMS: dict[str, dict[str, Any]] = {
    "as the preset": {},
    "whole response contrasted": {"contrast": "response"},
    "beta .05": {"beta": 0.05},
    "beta .3": {"beta": 0.3},
    "beta 1": {"beta": 1.0},
    "NCA": {"loss": "nca"},
    "listwise (S-DPO)": {"loss": "listwise"},
    "length-desensitised, alpha 0": {"ld_alpha": 0.0},
    "length-normalised, beta 2": {"length_norm": True, "beta": 2.0},
    "same-label negatives first": {"pairs.same_label": "first"},
    "same-label pairs of similarity .5 and more dropped": {"pairs.near_duplicate": 0.5},
    "anchor on the label alone": {"anchor": "label"},
    "no anchor": {"nll": 0.0},
    "anchor 1": {"nll": 1.0},
    "one pass": {"epochs": 1},
    "four passes": {"epochs": 4},
}


def settings_of(form: str, seed: int) -> CapoConfig:
    """Return the settings of a form."""
    people = from_preset("people", "any", ("anybody",)).capo_config(seed)
    return CapoConfig.from_dict(with_changes(as_json(people), FORMS[form]))


def report_of(run: RunFolder) -> dict[str, Any]:
    """Return what a finished run's calibration says of SFT, the chosen and the full strength."""
    found = run.result["calibration"]
    chosen = found["strength"]
    answered = sorted(found["distance"], key=float)

    def at(strength: str) -> Mapping[str, Any]:
        seen = found["by_classifier"]
        return {
            "strength": float(strength),
            "distance_points": 100 * found["distance"][strength],
            "labels_right": found["label_accuracy"][strength],
            **{name: values["imitation"][strength] for name, values in seen.items()},
        }

    return {
        "run": run.run_id,
        "n": found["n"],
        "own": {name: values["human"] for name, values in found["by_classifier"].items()},
        "sft": at(answered[0]),
        "chosen": at(next(s for s in answered if float(s) == chosen)),
        "last_answered": at(answered[-1]),
        "chosen_again": found["support"],
        "seconds": run.result.get("seconds"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--sft", required=True)
    parser.add_argument("--form", action="append", choices=list(FORMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--submit", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    workspace = Workspace.default()
    dataset = Catalog(workspace).load(options.dataset)
    sft = RunFolder(workspace.runs / options.sft)
    target = Run(sft.path).request.settings["target"]
    found: dict[str, Any] = {}
    for form in options.form or FORMS:
        request = capo_request(dataset, target, settings_of(form, options.seed), sft)
        folder = RunFolder(workspace.runs / submit.run_name(request))
        if options.submit:
            submit.submit(workspace, request.kind, request.settings, after=(options.sft,))
            found[form] = {"run": folder.run_id}
        elif folder.done:
            found[form] = report_of(folder)
    text = json.dumps({"machine": machine(), "target": target, "forms": found}, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
