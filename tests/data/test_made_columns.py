"""Fields inside objects and joined identifiers as columns; all made up."""

import json

import pytest
from helpers.field_files import TEXTS, found, write

from capo_core.data.columns import parse_mapping
from capo_core.data.importing import read_dataset
from capo_core.errors import ConfigError, DataError


def lines(rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def ratings(tmp_path):
    rows = [
        {"info": {"id": f"p{n}", "post": text, "title": ""},
         "summary": {"text": f"{text} In short.", "axes": {"overall": n + k + 1, "clarity": 7}},
         "worker": who, "batch": "b1"}
        for n, text in enumerate(TEXTS)
        for k, who in enumerate(("ann", "ben"))
    ]  # fmt: skip
    return write(tmp_path, "axis.jsonl", lines(rows))


def test_fields_inside_objects_are_proposed_and_read(tmp_path):
    path = ratings(tmp_path)
    with pytest.raises(DataError) as error:
        read_dataset(path, name="x")
    said = str(error.value)
    assert "'info.post' (such as " in said and "'summary.axes.overall' (such as '1')" in said
    assert "info.title" not in said  # empty
    assert error.value.option == "--map annotator_id=COLUMN label=COLUMN text_a=COLUMN"
    chosen = ["label=summary.axes.overall", "text_a=info.post", "text_b=summary.text"]
    answers, notes = found(path, mapping=parse_mapping(chosen))
    assert answers["ben", TEXTS[1]] == ("3", "") and len(answers) == 4
    assert "label: 'summary.axes.overall'" in notes
    with pytest.raises(ConfigError, match=r"'info\.nothing'"):
        found(path, mapping=parse_mapping(["label=info.nothing"]))


def test_conversations_and_elements_of_lists(tmp_path):
    rows = [
        {"question_id": n, "winner": ("left", "right")[(n + k) % 2], "judge": who,
         "dialogue": [{"role": "user", "content": text}, {"role": "bot", "content": "Yes."}],
         "options": [{"text": f"{text} One."}, {"text": f"{text} Two."}]}
        for n, text in enumerate(TEXTS)
        for k, who in enumerate(("ann", "ben"))
    ]  # fmt: skip
    path = write(tmp_path, "arena.jsonl", lines(rows))
    chosen = ["label=winner", "text_a=dialogue", "text_b=options.1.text"]
    read = read_dataset(path, name="x", mapping=parse_mapping(chosen))
    first = read.dataset.items.iloc[0]
    assert (first["text_a"], first["text_b"]) == (
        f"user: {TEXTS[0]}\nbot: Yes.",
        f"{TEXTS[0]} Two.",
    )
    assert len(read.dataset.annotations) == 4


def test_keys_that_are_identifiers_are_no_columns(tmp_path):
    rows = [{"subject": {f"s{n}": {"text": text}}, "meta": {"kind": "x"}, "who": who}
            for n, text in enumerate((*TEXTS, "A third.")) for who in "ab"]  # fmt: skip
    with pytest.raises(DataError) as error:
        read_dataset(write(tmp_path, "z.jsonl", lines(rows)), name="x")
    assert "'meta.kind'" in str(error.value) and "subject.s0" not in str(error.value)


def test_joined_identifiers(tmp_path):
    rows = "doc,part,text,annotator,label\n" + "".join(
        f"d{n},{part},{text} {part},{who},x\n"
        for n, text in enumerate(TEXTS)
        for part in (1, 2)
        for who in ("ann", "ben")
    )
    path = write(tmp_path, "d.csv", rows)
    read = read_dataset(path, name="x", mapping=parse_mapping(["item_id=doc+part"]))
    assert set(read.dataset.items["item_id"]) == {"d0-1", "d0-2", "d1-1", "d1-2"}
