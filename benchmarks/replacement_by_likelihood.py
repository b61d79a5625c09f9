"""Why the alternative annotator test has no form by likelihood: what would pass it.

    python -m capo_core experiment start --dataset demo-nli --annotator all --method zero_shot \\
        --method sft --wait
    python benchmarks/replacement_by_likelihood.py --dataset demo-nli --run ANSWERS [ANSWERS …] \\
        --author-adapters SFT [SFT …]

Similarity to the others would be the mean log-probability per token under their adapters. In the
place of each annotator it compares: the methods' answers; these answers moved to the next item,
where they are about something else; and each other annotator's own text, under the adapters of the
remaining ones. One row each: advantage probability ρ, nats per token of both, and for how many
annotators the test (ε = .15) would be passed. JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np
from measuring import report

from capo_core.data.catalog import Catalog
from capo_core.evaluation.likelihood import Text, author_adapters, log_prob_matrix, texts_of
from capo_core.evaluation.streams import (
    HUMAN,
    Stream,
    held_out_items,
    human_streams,
    method_streams,
    run_outputs,
)
from capo_core.run_folder import find_run
from capo_core.stats.alternative_annotator import EPSILONS, advantage, alternative_annotator_test
from capo_core.workspace import Workspace


def texts_by_item(stream: Stream, ids: tuple[str, ...], *, moved: bool = False) -> dict[int, Text]:
    """Return item → text; `moved`: the text of the item before, put to this one."""
    texts = texts_of(stream, ids)
    places = stream.item.tolist()
    if moved:
        texts = [
            (ids[item], *texts[n - 1][1:]) if texts[n - 1] is not None else None
            for n, item in enumerate(places)
        ]
    return {item: text for item, text in zip(places, texts, strict=True) if text is not None}


def compared(pairs: Mapping[str, tuple], known: Mapping[Text, np.ndarray]) -> dict:
    """Return the test's figures: annotator → (their texts, texts in their place, columns)."""
    found, nats = [], []
    for own, other, columns in pairs.values():
        items = [item for item in own if item in other]
        person = np.array([known[own[item]][columns].mean() for item in items])
        model = np.array([known[other[item]][columns].mean() for item in items])
        found.append(advantage(model, person))
        nats.append((model.mean(), person.mean()))
    test = alternative_annotator_test(found, EPSILONS["skilled"])
    return {
        "rho": test.probability, "least": min(one.probability for one in found),
        "most": max(one.probability for one in found), "won": test.won, "tested": test.tested,
        "n": [one.n for one in found], "nats": float(np.mean([one for one, _ in nats])),
        "nats_own": float(np.mean([one for _, one in nats])),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--run", nargs="+", required=True)
    parser.add_argument("--author-adapters", nargs="+", required=True)
    asked = parser.parse_args()
    workspace = Workspace.default()
    dataset = Catalog(workspace).load(asked.dataset)
    adapters = author_adapters(
        dataset, [find_run(workspace, name) for name in asked.author_adapters]
    )
    outputs, _ = run_outputs(dataset, [find_run(workspace, name) for name in asked.run])
    ids, streams = method_streams(dataset, outputs)
    assert ids == held_out_items(dataset), "all test items"
    people = {s.target: texts_by_item(s, ids) for s in human_streams(dataset, ids)
              if s.source == HUMAN}  # fmt: skip
    names = list(dataset.annotators)

    def columns(*without: str) -> list[int]:
        return [n for n, name in enumerate(names) if name not in without]

    rows = {}
    for stream in streams:
        for moved in (False, True):
            title = stream.source + (", about another item" if moved else "")
            pair = (people[stream.target], texts_by_item(stream, ids, moved=moved),
                    columns(stream.target))  # fmt: skip
            rows.setdefault(title, {})[stream.target] = pair
    rows["another person"] = {
        f"{other} for {name}": (people[name], people[other], columns(name, other))
        for name in names for other in names if other != name
    }  # fmt: skip
    texts = list(dict.fromkeys(
        text for pairs in rows.values() for own, other, _ in pairs.values()
        for text in (*own.values(), *other.values())
    ))  # fmt: skip
    table = log_prob_matrix(dataset, adapters, texts, cache=workspace.cache)
    known = dict(zip(texts, table, strict=True))
    report({title: compared(pairs, known) for title, pairs in rows.items()})


if __name__ == "__main__":
    main()
