"""Exports to annotation tools: read again by the readers of these tools, they are the dataset."""

import json
from dataclasses import replace

import pytest
from helpers.provenance import EPOCH, check_file

from capo_core.data.export import export, provenance_of
from capo_core.data.importing import read_dataset
from capo_core.data.tool_exports import TOOL_EXPORTS, export_to_tool
from capo_core.errors import ConfigError, DataError
from capo_core.export_formats import for_excel
from capo_core.task import NLI, Task

COLUMNS = ["item_id", "annotator_id", "label", "explanation"]


def dataset(tmp_path, header, rows, task=None):
    path = tmp_path / "votes.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_dataset(path, name="votes", task=task).dataset


NLI_ROWS = [
    '1,ann,entailment,"so, it is",A flute plays.,Music is made.,train',
    "1,ann,neutral,or not,A flute plays.,Music is made.,train",
    "1,ben,neutral,,A flute plays.,Music is made.,train",
    "2,ben,contradiction,यह स्पष्ट है,वह सोता है।,वह जागता है।,test",
]
SCALE_ROWS = ["a,ann,3,because,One text here.,", "b,7,5,why not,Another text.,"]


@pytest.mark.parametrize("tool", TOOL_EXPORTS)
def test_a_dataset_comes_back(tmp_path, tool, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    header = "item_id,annotator_id,label,explanation,premise,hypothesis,split"
    one = "item_id,annotator_id,label,explanation,text,split"
    for given in (
        dataset(tmp_path, header, NLI_ROWS, NLI),
        dataset(tmp_path, one, SCALE_ROWS),
    ):
        path = export_to_tool(given, tmp_path / f"out.{TOOL_EXPORTS[tool].suffix}", tool)
        read = read_dataset(path, name="again", task=given.task)
        assert read.report.format == tool and len(read.report.rejected) == 0
        back = read.dataset
        assert sorted(back.annotations[COLUMNS].to_numpy().tolist()) == sorted(
            given.annotations[COLUMNS].to_numpy().tolist()
        )
        texts = ["item_id", "text_a", "text_b"]
        assert sorted(back.items[texts].to_numpy().tolist()) == sorted(
            given.items[texts].to_numpy().tolist()
        )
        source, whole = check_file(path.read_bytes(), path.name), provenance_of(given)
        assert (source.dataset, source.data, source.fingerprint) == (
            whole.dataset, whole.data, whole.fingerprint[:16],
        )  # fmt: skip


def test_texts_are_named_so_that_they_are_found(tmp_path):
    header = "item_id,annotator_id,label,explanation,text_a,text_b,split"
    given = dataset(tmp_path, header, ["1,a,x,so,Erster Satz hier.,Zweiter Satz hier.,train"])
    named = replace(given, task=Task("t", given.task.scale, "Satz eins", "claim"))
    task = json.loads(TOOL_EXPORTS["label-studio"].text(named, provenance_of(named)))[0]
    assert task["data"] == {"text_a": "Erster Satz hier.", "claim": "Zweiter Satz hier."}


def test_unknown_tools_and_crowd_counts_are_refused(tmp_path):
    header = "item_id,annotator_id,label,explanation,text,split"
    given = dataset(tmp_path, header, SCALE_ROWS)
    with pytest.raises(ConfigError, match="label-studio, prodigy"):
        export_to_tool(given, tmp_path / "x", "brat")
    with pytest.raises(DataError, match="no annotators"):
        export_to_tool(replace(given, annotations=given.annotations[:0]), tmp_path / "x", "prodigy")


def test_csv_for_excel_has_a_mark_and_is_the_same_data(tmp_path):
    header = "item_id,annotator_id,label,explanation,text,split"
    given = dataset(tmp_path, header, SCALE_ROWS)
    plain = export(given, tmp_path / "plain.csv").read_bytes()
    marked = export(given, tmp_path / "marked.csv", excel=True).read_bytes()
    assert marked == b"\xef\xbb\xbf" + plain
    again = read_dataset(tmp_path / "marked.csv", name="again").dataset
    assert again.fingerprint == given.fingerprint
    assert for_excel(for_excel("a")) == "\ufeffa"
