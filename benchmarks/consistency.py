"""Eight classifiers that read a label from an explanation, compared on people's own texts.

    CAPO_WORKSPACE=… python benchmarks/consistency.py varierr paraphrase --out consistency.json

Each is fitted on people's training and validation responses and reads the label of their test
responses: by words or sentence embeddings, with the input's words masked or not, with frequent
labels favoured as they are in training ("prior") or not, and with the item given beside the
explanation, or instead of it. Ceiling: share read as the label given, mean over annotators; floor:
the same where explanations are shuffled over an annotator's items; κ: Cohen's (with quadratic
weights on a scale). Where there was a validation round, also the ceiling of the responses that
were judged valid and of those that were not.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from measuring import report

from capo_core.data.catalog import Catalog
from capo_core.stats import ridge
from capo_core.stats.agreement import label_distances
from capo_core.text.embeddings import Embedder
from capo_core.text.representations import Representer, Texts
from capo_core.text.tokens import normalise
from capo_core.workspace import Workspace

VIEWS = [("words", "none"), ("words", "mask_input"), ("embedding", "none"),
         ("embedding", "mask_input")]  # fmt: skip


def measure(dataset, embedder) -> list[dict]:
    """One row a variant."""
    items = dataset.items
    split = items.set_index("item_id")["split"]
    rows = dataset.annotations
    rows = rows[rows["explanation"].str.strip() != ""]
    place = {item_id: n for n, item_id in enumerate(items["item_id"])}
    item = np.array([place[one] for one in rows["item_id"]])
    texts = Texts(
        [normalise(one) for one in rows["explanation"]], item,
        [normalise(one) for one in items["text_a"]], [normalise(one) for one in items["text_b"]],
    )  # fmt: skip
    labels = list(dataset.task.scale.labels)
    given = np.array([labels.index(one) for one in rows["label"]])
    held_out = (split.loc[rows["item_id"]] == "test").to_numpy()
    invalid = (rows["valid"] == "false").to_numpy()
    train, test = np.flatnonzero(~held_out & ~invalid), np.flatnonzero(held_out)
    who = rows["annotator_id"].to_numpy()[test]
    targets = np.eye(len(labels), dtype=np.float32)[given[train]]
    shares = np.maximum(targets.mean(axis=0), 1e-9)
    distance = label_distances(dataset.task.scale)
    found = []

    def add(name: str, left, right) -> None:
        scores = ridge.scores(left, right, targets)
        for prior, read in (("yes", scores + shares), ("no", scores / shares)):
            found.append({"reads": name, "prior": prior, **_figures(
                given[test], read.argmax(axis=1), who, invalid[test], distance
            )})  # fmt: skip

    representer = Representer(texts, embedder)
    for representation, reduction in VIEWS:
        features = representer.features(representation, reduction)
        add(f"{representation}, {reduction}", *features.split(train, test))
    own, first, second = (embedder(one) for one in (texts.texts, texts.text_a, texts.text_b))
    first, second = first[item], second[item]
    with_input = np.hstack([own, first, second, own * first, own * second])
    add("embedding and item", with_input[train], with_input[test])
    alone = np.hstack([first, second, first * second])
    add("item alone", alone[train], alone[test])
    return found


def _figures(given, read, who, invalid, distance) -> dict:
    ceilings, floors, kappas, n = [], [], [], 0
    for one in dict.fromkeys(who):
        rows = (who == one) & ~invalid
        n += int(rows.sum())
        joint = np.zeros(distance.shape)
        np.add.at(joint, (given[rows], read[rows]), 1 / rows.sum())
        chance = np.outer(joint.sum(axis=1), joint.sum(axis=0))
        ceilings.append(np.trace(joint))
        floors.append(np.trace(chance))
        kappas.append(1 - (joint * distance).sum() / (chance * distance).sum())
    right = given == read
    return {
        "n": n,
        "ceiling": round(float(np.mean(ceilings)), 3),
        "floor": round(float(np.mean(floors)), 3),
        "kappa": round(float(np.mean(kappas)), 3),
        "judged invalid": round(float(right[invalid].mean()), 3) if invalid.any() else None,
        "n invalid": int(invalid.sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", nargs="+")
    parser.add_argument("--cache", type=Path, help="folder of embeddings; default: none is kept")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    catalog, embedder, results = Catalog(Workspace.default()), Embedder(options.cache), {}
    for name in options.dataset:
        results[name] = measure(catalog.load(name), embedder)
        for row in results[name]:
            print(name, *row.values(), sep=" | ", file=sys.stderr, flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    report(results)


if __name__ == "__main__":
    main()
