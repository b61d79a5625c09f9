"""Every measure on data that hardly say anything: words or nothing, never NaN in JSON."""

import json
import warnings

import pandas as pd
import pytest
from helpers.corpora import dataset

from capo_core.dataset import Dataset
from capo_core.schema import ANNOTATIONS, ITEMS
from capo_core.stability import phrases
from capo_core.stability.annotator_profiles import annotator_profiles
from capo_core.stability.reliability import split_half
from capo_core.stability.variance import shares
from capo_core.stats.agreement import agreement
from capo_core.stats.intervals import json_rows
from capo_core.task import NLI, PARAPHRASE
from capo_core.text import stylometry

ROWS = {
    "no annotations": [],
    "one annotation": [("i", "a", "x")],
    "one annotator": [(f"i{k}", "a", "some text here") for k in range(30)],
    "one item": [("i", f"a{k}", f"text {k} is so") for k in range(30)],
    "labels only": [(f"i{k}", who, "") for k in range(20) for who in "abc"],
    "identical texts": [(f"i{k}", who, "the same text") for k in range(20) for who in "abc"],
    "no words": [(f"i{k}", who, "🙂 \u200f") for k in range(20) for who in "ab"],
    "marks only": [(f"i{k}", who, {"a": "...", "b": "?!"}[who]) for k in range(20) for who in "ab"],
    "nobody meets": [(f"i{k}", f"a{k}", f"text is number {k % 3}") for k in range(40)],
    "one is silent": [(f"i{k}", w, "" if w == "a" else "it is") for k in range(20) for w in "ab"],
    "repeats": [("i0", who, "it is so") for who in "aabb" for _ in range(10)],
}  # fmt: skip


@pytest.mark.parametrize("task", [NLI, PARAPHRASE], ids=["nominal", "ordinal"])
@pytest.mark.parametrize("name", ROWS)
def test_words_or_nothing(name, task):
    rows = [(*row, task.scale.labels[k % 3]) for k, row in enumerate(ROWS[name])]
    data = (
        dataset(rows, task=task)
        if rows
        else Dataset("none", task, pd.DataFrame(columns=ITEMS.names),
                     pd.DataFrame(columns=ANNOTATIONS.names))
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = data.annotations
        matrix = stylometry.features(
            said["explanation"].tolist(), [("", "")] * len(said)
        ).to_numpy()
        variance = shares(matrix, said["item_id"], said["annotator_id"]).to_dict()
        halves = split_half(matrix, said["item_id"], said["annotator_id"], draws=20).to_dict()
        agreed = agreement(data, draws=50).to_dict()
        made = annotator_profiles(data)
        everything = [
            variance,
            halves,
            agreed,
            [card.to_dict() for card in made],
            json_rows(phrases.distinctive_phrases(data)),
            json_rows(phrases.distinctive_phrases(data, raw=True, top=None)),
            json_rows(phrases.distinctive_features(data)),
            json_rows(phrases.phrase_reliability(data)),
            phrases.find_phrase(data, "it"),
        ]
    json.dumps(everything, allow_nan=False)
    # What has no value has a reason.
    assert variance["item"] is not None or variance["note"]
    assert halves["rows"] or halves["note"]
    assert all(row["self"] is not None or row["note"] for row in halves["rows"])
    assert agreed["alpha"]["value"] is not None or agreed["alpha"]["note"]
    assert len(made) == len(data.annotators)
    for card in made:
        assert len(card.interpretation) >= 2
        assert not any("nan" in sentence.split() for sentence in card.interpretation)
