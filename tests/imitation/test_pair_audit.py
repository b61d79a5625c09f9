"""What a set of pairs holds, in a table and in figures; and as preference data."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.responses import TONE, crowd_of, dataset

from capo_core.errors import DataError
from capo_core.imitation.pairs.build import (
    PAIR_TABLE_COLUMNS,
    QUANTILES,
    PairsConfig,
    build_pairs,
    pair_summary,
    pair_table,
    quantiles,
)
from capo_core.imitation.pairs.files import export_pairs, preference_rows
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.parsing.result import ParsedResponse
from capo_core.imitation.prompting.prompts import prompt_text, write_response, zero_shot
from capo_core.imitation.prompting.responses import item_of
from capo_core.schema import OUTPUTS, PAIRS, check
from capo_core.task import PARAPHRASE

ROWS = [
    ("i0", "A", "neutral", "one two three"),
    ("i0", "B", "neutral", "four, five"),
    ("i0", "C", "entailment", "six"),
    ("i1", "A", "contradiction", "seven eight\n“nine”"),
    ("i1", "C", "entailment", "ten eleven twelve thirteen"),
    ("i2", "A", "neutral", "alone"),
]


@pytest.fixture
def made():
    return dataset(ROWS)


@pytest.fixture
def pairs(made):
    return build_pairs(made, "A", PairsConfig(), least=1)


def test_audit_tells_who_wrote_what(made, pairs):
    table = pair_table(pairs, made)
    assert tuple(table.columns) == PAIR_TABLE_COLUMNS
    assert list(table["chosen_annotator_id"]) == ["A"] * 3
    assert list(table["rejected_annotator_id"]) == ["B", "C", "C"]
    assert list(table["chosen_label"]) == ["neutral", "neutral", "contradiction"]
    assert list(table["rejected_label"]) == ["neutral", "entailment", "entailment"]
    assert list(table["same_label"]) == [True, False, False]
    # Words, without punctuation: 3 − 2, 3 − 1, 3 − 4.
    assert list(table["length_gap_words"]) == [1, 2, -1]
    assert table["chosen_explanation"][2] == "seven eight\n“nine”"
    assert table["rejected_explanation"][0] == "four, five"


def test_the_summary_counts_pairs_and_what_was_dropped(made, pairs):
    told = pair_summary(pairs, made)
    json.dumps(told, allow_nan=False)
    assert (told["pairs"], told["items"], told["chosen_responses"]) == (3, 2, 2)
    assert told["rejected_by_annotator"] == {"C": 2, "B": 1}
    assert told["dropped_responses"]["no other annotator"] == 1
    assert set(told["dropped_pairs"].values()) == {0}
    assert told["items_without"] == ["i2"]
    assert told["same_label_share"] == pytest.approx(1 / 3)
    assert told["length_gap_words"]["n"] == 3
    assert told["length_gap_words"]["median"] == 1.0
    assert told["fingerprint"] == made.fingerprint


def test_summary_of_no_pairs():
    made = crowd_of(11, annotators=("A",), parts={"i0": "validation"})
    told = pair_summary(build_pairs(made, "A", PairsConfig(), split="validation"), made)
    json.dumps(told, allow_nan=False)
    assert told["same_label_share"] is None
    assert told["similarity"] == {"n": 0, **dict.fromkeys(QUANTILES)}


def test_quantiles_are_linear_between_values():
    found = quantiles(pd.Series([0.0, 10.0]))
    assert found["n"] == 2
    assert [found[name] for name in QUANTILES] == [10 * share for share in QUANTILES.values()]


def test_rows_are_what_our_own_training_reads(made, pairs):
    rows = preference_rows(pairs, made)
    assert [row["rejected_annotator"] for row in rows] == ["B", "C", "C"]
    for row, chosen in zip(rows, ["one two three"] * 2 + ["seven eight “nine”"], strict=True):
        prompt = zero_shot(made.task, item_of(made, row["item_id"]))
        assert row["prompt"] == prompt_text(prompt, None)  # a tokenizer without a template
        assert row["prompt"].endswith("\n\nAnswer:\n")
        assert parse_response(row["chosen"], made.task).explanation == chosen
    assert rows[2]["rejected"] == write_response("entailment", ROWS[4][3])
    assert [row["same_label"] for row in rows] == [True, False, False]
    assert [row["weight"] for row in rows] == [1.0] * 3
    # Prompt and answer make one text, which reads as an answer where the prompt is said again.
    whole = rows[0]["prompt"] + rows[0]["chosen"]
    assert parse_response(whole, made.task) == ParsedResponse("neutral", "one two three")


@pytest.mark.parametrize("task", [PARAPHRASE, TONE])
def test_the_file_is_preference_data(tmp_path, task):
    labels = task.scale.labels
    odd = 'quotes " and \\ and 🙂 \u2028 and ünïcode'
    rows = [
        (f"i{item}", who, labels[item % len(labels)], f"{odd} {who} {item}")
        for item in range(12)
        for who in ("A", "B", "C")
    ]
    made = dataset(rows, task=task)
    pairs = build_pairs(made, "A", PairsConfig())
    path = export_pairs(pairs, made, tmp_path / "pairs.jsonl")
    lines = path.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""
    found = [json.loads(line) for line in lines]
    assert all(row.pop("provenance") for row in found)
    assert found == preference_rows(pairs, made)
    # The file as pandas and Arrow read it, which TRL's data loading rests on.
    read = pd.read_json(path, lines=True, dtype=False)
    assert len(read) == 24
    assert all(isinstance(value, str) for name in ("prompt", "chosen", "rejected")
               for value in read[name])  # fmt: skip
    assert read["chosen"][0] == write_response(labels[0], f"{odd} A 0")


def test_trl_takes_the_file_as_it_is(tmp_path):
    data_utils = pytest.importorskip("trl.data_utils")
    datasets = pytest.importorskip("datasets")
    made = crowd_of(12)
    path = export_pairs(build_pairs(made, "A", PairsConfig()), made, tmp_path / "pairs.jsonl")
    loaded = datasets.Dataset.from_json(str(path), cache_dir=str(tmp_path / "cache"))
    example = loaded[0]
    assert set(loaded.column_names) >= {"prompt", "chosen", "rejected"}
    assert not data_utils.is_conversational(example)
    # TRL draws the common beginning out only where there is no prompt: ours stays as it is.
    assert data_utils.maybe_extract_prompt(dict(example)) == example


def test_only_what_is_held_out_is_written(tmp_path, made, pairs):
    part = made.items.set_index("item_id")["split"]
    moved = made.with_split(part.where(part.index != "i1", "test"))
    with pytest.raises(DataError, match="'i1' is in the test part"):
        export_pairs(pairs, moved, tmp_path / "pairs.jsonl")
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="folder"):
        export_pairs(pairs, made, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError):
        export_pairs(pairs, made, tmp_path / "file" / "pairs.jsonl")


@pytest.mark.parametrize(
    ("column", "value"),
    [("similarity", np.nan), ("weight", np.inf), ("weight", "much"), ("same_label", "yes"),
     ("pair_id", ""), ("weight", None)],
)  # fmt: skip
def test_the_table_of_pairs_is_checked(pairs, column, value):
    frame = pairs.frame.astype(object)
    check(frame, PAIRS)
    frame.loc[1, column] = value
    with pytest.raises(DataError, match=f"row 2, column '{column}'"):
        check(frame, PAIRS)


def test_the_table_of_outputs():
    row = {
        "output_id": "o1", "run_id": "r", "method": "sft", "target_annotator_id": "A",
        "item_id": "i0", "sample": "0", "label": "", "explanation": "", "raw_text": "",
        "parsed": "false", "problem": "empty", "prompt_tokens": 12, "output_tokens": 0,
    }  # fmt: skip
    assert list(check(pd.DataFrame([row]), OUTPUTS).columns) == list(row)
    for column, value in (("parsed", "no"), ("output_tokens", -1), ("prompt_tokens", 1.5)):
        with pytest.raises(DataError, match=column):
            check(pd.DataFrame([row | {column: value}]), OUTPUTS)
    with pytest.raises(DataError, match="occurs twice"):
        check(pd.DataFrame([row, row]), OUTPUTS)
