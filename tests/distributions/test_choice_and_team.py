"""Choosing and replacing explanations, explanations by a model, imitated annotators as a team."""

import numpy as np
import pandas as pd
import pytest
from helpers.distribution_sources import judgments, source
from helpers.provenance import PLACE

from capo_core.distributions.explanations import (
    ExplainConfig,
    explain,
    farthest_first,
    replace_explanations,
    select_explanations,
)
from capo_core.distributions.files import (
    merge_judgments,
    read_judgments,
    read_votes,
    write_explanations,
)
from capo_core.distributions.judgments import EXPLANATIONS
from capo_core.distributions.sources import output_distributions, output_explanations
from capo_core.distributions.store import with_runs
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.workspace import Workspace

POINTS = {"east": [1.0, 0.0], "east too": [0.96, 0.28], "north": [0.0, 1.0], "west": [-0.8, -0.6]}


def embed(texts):
    return np.array([POINTS[text] for text in texts])


def said(*texts, who="humans", item="i0", labels=None):
    labels = labels or ["neutral"] * len(texts)
    return [(item, who, k, labels[k], text) for k, text in enumerate(texts)]


def made(rows, n=1):
    return judgments(source("crowd", [[1, 0, 0]] * n), said=rows)


def texts(frame):
    return frame["explanation"].tolist()


def test_ways_of_choosing():
    found = made(said("east", "east too", "north", "west"))
    assert texts(select_explanations(found, "humans", 2, "first")) == ["east", "east too"]
    assert texts(select_explanations(found, "humans", 1, "longest")) == ["east too"]
    # The sum of all points to (1.16, 0.68): nearest to "east too". From there "west" is farthest,
    # then "north": "east" is beside what is chosen.
    assert texts(select_explanations(found, "humans", 1, "representative", embed=embed)) == [
        "east too"
    ]
    assert texts(select_explanations(found, "humans", 3, "greedy", embed=embed)) == [
        "east too",
        "west",
        "north",
    ]
    votes = {("i0", "humans", 2): 5.0, ("i0", "humans", 0): 2.0}
    chosen = select_explanations(found, "humans", 2, "human-preferred", votes=votes)
    assert texts(chosen) == ["north", "east"]
    assert chosen["position"].tolist() == [0, 1]
    assert set(chosen["source"]) == {"humans, 2 human-preferred"}
    assert len(select_explanations(found, "humans", 9, "greedy", embed=embed)) == 4


def test_choosing_needs_what_it_needs():
    found = made(said("east", "north"))
    with pytest.raises(ConfigError, match="needs votes"):
        select_explanations(found, "humans", 1, "human-preferred")
    with pytest.raises(ConfigError, match="encoder"):
        select_explanations(found, "humans", 1, "greedy")
    with pytest.raises(ConfigError, match="cannot be selected"):
        select_explanations(found, "humans", 1, "best")


def test_votes_come_from_a_table(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("item_id,source,position,votes\n007,humans,1,3\n")
    assert read_votes(path) == {("007", "humans", 1): 3.0}
    for text, words in (
        ("item_id,source,position\na,h,0\n", "'votes' is missing"),
        ("item_id,source,position,votes\na,h,0,many\n", "row 1"),
        ("", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=words):
            read_votes(path)


def test_farthest_first_takes_every_row_once():
    vectors = embed(list(POINTS))
    assert sorted(farthest_first(vectors, 4)) == [0, 1, 2, 3]


def test_replacing_keeps_the_labels_and_nests():
    people = said("a", "b", "c", "d", labels=["neutral", "neutral", "entailment", "contradiction"])
    model = said("N1", "N2", "E", who="model", labels=["neutral", "neutral", "entailment"])
    found = made(people + model)
    before: set[int] = set()
    for share, count in ((0.0, 0), (0.25, 1), (0.5, 2), (0.75, 3), (1.0, 4)):
        frame, missing = replace_explanations(found, "humans", "model", share)
        assert frame["label"].tolist() == ["neutral", "neutral", "entailment", "contradiction"]
        now = {k for k, text in enumerate(texts(frame)) if text not in "abcd"}
        # The model explains no contradiction: that one stays, and is counted.
        assert len(now) + missing == count and 3 not in now and before <= now
        before = now
    assert missing == 1 and set(texts(frame)) == {"N1", "N2", "E", "d"}
    found.with_explanations(frame)  # a source of its own beside the others
    with pytest.raises(ConfigError, match="share"):
        replace_explanations(found, "humans", "model", 1.5)


def answering(label):
    """Writes about the label asked for, but for `label`, where it argues for neutral."""

    def write(request):
        wanted = request.prompt.text.split("Label: ")[1].split("\n")[0]
        given = "neutral" if wanted == label else wanted
        return f"Label: {given}\nExplanation: So {given} it is."

    return FakeBackend(write)


def test_explanations_of_every_label_or_of_those_people_gave(tmp_path):
    found = made([], n=2)
    free = explain(found, answering("contradiction"), ExplainConfig())
    assert free.wanted == 6 and free.missing == 2  # an answer for another label is not used
    assert free.frame["label"].tolist() == ["entailment", "neutral"] * 2
    counted = judgments(
        source("crowd", [[1, 0, 0]]),
        type(source("x", [[1, 0, 0]]))(
            "annotators", found.task.scale.labels, ("i0",), np.array([[0.25, 0.75, 0]]),
            np.array([4.0]),
        ),
    )  # fmt: skip
    guided = explain(counted, answering(""), ExplainConfig(mode="guided", by="annotators"))
    assert guided.frame["label"].tolist() == ["entailment"] + ["neutral"] * 3
    assert guided.frame["source"].iloc[0] == "fake, guided by annotators"
    with pytest.raises(ConfigError, match="no number of annotators"):
        explain(counted, answering(""), ExplainConfig(mode="guided", by="crowd"))
    with pytest.raises(RunError, match="no usable explanation"):
        explain(found, FakeBackend(lambda request: "?"), ExplainConfig())
    # Written to a file, they come back beside the data they are about.
    write_explanations(found, free.frame, tmp_path / "e.json", PLACE)
    both = merge_judgments(found, read_judgments(tmp_path / "e.json"))
    back = both.explanations[EXPLANATIONS.names]
    assert back["explanation"].tolist() == texts(free.frame)
    assert set(back["item_id"]) == {"i0", "i1"}


def outputs(*rows):
    columns = ["method", "target_annotator_id", "item_id", "label", "explanation"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(sample=frame.groupby(columns[:3]).cumcount().astype(str))


def test_a_team_is_the_mean_of_its_annotators():
    found = made([], n=2)
    rows = outputs(
        ("capo", "ann", "i0", "neutral", "x"),
        ("capo", "ann", "i0", "entailment", "y"),
        ("capo", "bob", "i0", "entailment", "z"),
        ("capo", "bob", "i1", "", ""),  # could not be read
        ("capo", "ann", "i1", "neutral", "w"),
    )
    by = {one.name: one for one in output_distributions(found, rows)}
    assert list(by) == ["capo team", "capo ann", "capo bob"]
    assert by["capo ann"].shares.tolist() == [[0.5, 0.5, 0], [0, 1, 0]]
    # bob said nothing readable on i1: the team speaks of i0 only, each annotator counting once.
    assert by["capo team"].item_ids == ("i0",)
    assert by["capo team"].shares.tolist() == [[0.75, 0.25, 0]]
    said = output_explanations(found, rows)
    assert texts(said) == ["x", "y", "z", "w"] and set(said["source"]) == {"capo team"}
    # Of one annotator alone there is no team, and its explanations are called as its shares are.
    alone = rows[rows["target_annotator_id"] == "ann"]
    assert {one.name for one in output_distributions(found, alone)} == {"capo ann"}
    assert set(output_explanations(found, alone)["source"]) == {"capo ann"}
    with pytest.raises(DataError, match="none of 1 outputs"):
        output_distributions(found, outputs(("sft", "a", "elsewhere", "neutral", "")))


def test_a_team_of_equal_count_has_no_more_answers_than_one_of_its_annotators():
    found = made([], n=2)
    given = {"ann": ["neutral", "neutral", "entailment", "entailment"],
             "bob": ["contradiction", "neutral", "entailment", "neutral"]}  # fmt: skip
    rows = [("sft", who, item, label, "") for item in ("i0", "i1")
            for who, labels in given.items() for label in labels]  # fmt: skip
    by = {one.name: one for one in output_distributions(found, outputs(*rows))}
    assert list(by) == ["sft team", "sft team, equal count", "sft ann", "sft bob"]
    # Two of four samples of each of two annotators: the first two.
    assert by["sft team, equal count"].shares.tolist() == [[0, 0.75, 0.25]] * 2
    assert by["sft team"].shares.tolist() == [[3 / 8, 4 / 8, 1 / 8]] * 2
    assert by["sft ann"].people.tolist() == [4, 4]
    # A single sample each cannot be shared out.
    one_each = outputs(*(row for k, row in enumerate(rows) if k % 4 == 0))
    assert "sft team, equal count" not in [
        one.name for one in output_distributions(found, one_each)
    ]


def test_generations_of_one_method_count_together(tmp_path):
    workspace = Workspace(tmp_path)
    for run, label in (("g0", "neutral"), ("g1", "entailment")):
        folder = workspace.runs / run
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        frame = pd.DataFrame(
            {"output_id": [f"{run}-{who}" for who in "ab"], "run_id": run, "method": "sft",
             "target_annotator_id": ["a", "b"], "item_id": "i0", "sample": "0", "label": label,
             "explanation": f"So {label}.", "raw_text": "", "parsed": "true", "problem": "",
             "prompt_tokens": 1, "output_tokens": 1}
        )  # fmt: skip
        frame.to_parquet(folder / "outputs.parquet")
    found = with_runs(made([]), ["g0", "g1", "g0"], workspace)
    assert found.notes == ()
    assert found.source("sft a").shares.tolist() == [[0.5, 0.5, 0]]
    assert found.source("sft team, equal count").people.tolist() == [2]
    assert sorted(found.explanations["position"]) == [0, 1, 2, 3]
    # Answers without a label, and to other items, are counted where the comparison is read.
    frame = frame.assign(label=["neutral", ""], item_id=["elsewhere", "i0"])
    frame.to_parquet(workspace.runs / "g1" / "outputs.parquet")
    assert with_runs(made([]), ["g0", "g1"], workspace).notes == (
        "1 of 4 answers of the runs without a readable label; left out",
        "1 of 4 answers of the runs to items not in hand-made; left out",
    )
