"""The whole report on small worlds: complete, reproducible, and honest about nothing."""

import json
import math
from dataclasses import replace
from threading import Event

import numpy as np
import pandas as pd
import pytest
from helpers.simulated_annotators import bag_of_words_vectors, world

from capo_core.errors import ConfigError, DataError, Stopped
from capo_core.formatting import percent
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stability import claims, report_jobs, store, summary, tables
from capo_core.stability.config import StabilityConfig
from capo_core.stability.evidence import Evidence, by_annotator
from capo_core.stability.ladder import COLUMNS
from capo_core.stability.report import StabilityReport, compute_report
from capo_core.text.embeddings import Embedder
from capo_core.workspace import Workspace

SMALL = StabilityConfig(seeds=2, permutations=50, pool=(1, 2, 4), draws=50)


# One view and two reductions, where it is the house around the measures that is tested.
TINY = StabilityConfig(
    representations=("words",), reductions=("none", "mask_input"), seeds=1, permutations=20,
    pool=(1, 2), draws=20,
)  # fmt: skip


def compute(dataset, config=SMALL, **options):
    return compute_report(
        dataset, config, embedder=Embedder(encode=bag_of_words_vectors), **options
    )


def simulated(manner, seed=1, items=60, **options):
    options = {"label_bias": 0.0, **options}
    config = SimulationConfig(items=items, style=manner, seed=seed, **options)
    return simulate(config).dataset


@pytest.fixture(scope="module")
def made():
    return compute(simulated(1.5))


def test_json_has_what_is_promised(made):
    raw = json.loads(json.dumps(made[0].to_dict(), allow_nan=False))
    for name in (
        "dataset", "fingerprint", "config", "agreement", "ladder", "controls", "variance",
        "reliability", "distinctive",
    ):  # fmt: skip
        assert raw[name], name
    assert set(COLUMNS) <= set(raw["ladder"][0])
    assert {*COLUMNS, "control"} <= set(raw["controls"][0])
    assert {"representation", "reduction", "item", "annotator", "residual"} <= set(
        raw["variance"][0]
    )
    assert len(raw["ladder"]) == 3 * 6 * 3  # representations × reductions × k
    said = {row["control"] for row in raw["controls"]}
    assert said >= {
        "shuffled", "random_mask", "random_subspace", "label", "length", "input", "others_mean",
        "item_centred", "residual_shuffled", "formatting", "same_label", "random_pos_noise",
    }  # fmt: skip


def test_every_accuracy_lies_in_its_interval_and_chance_stands_beside_it(made):
    for frame in (made[0].ladder.to_frame(), made[0].controls.to_frame()):
        assert (frame["low"] <= frame["accuracy"] + 1e-9).all()
        assert (frame["accuracy"] <= frame["high"] + 1e-9).all()
        assert frame["chance"].isin([0.25, 0.5]).all()
        assert (frame["n_items"] > 0).all()


def test_same_seed_same_report_and_another_seed_another():
    first, again = (compute(simulated(1.5), TINY)[0] for _ in range(2))
    assert again.to_dict() == first.to_dict()
    other, _ = compute(simulated(1.5), replace(TINY, seed=5))
    assert other.to_dict()["ladder"] != first.to_dict()["ladder"]


def test_a_report_survives_the_workspace(made, tmp_path):
    workspace = Workspace(tmp_path)
    report, evidence = made
    store.save(report, evidence, workspace)
    loaded = store.load(report.fingerprint, SMALL, workspace)
    assert loaded.to_dict() == report.to_dict()
    assert isinstance(loaded, StabilityReport)
    kept = store.saved_reports(report.fingerprint, workspace)
    assert [k.config for k in kept] == [SMALL]
    assert store.load(report.fingerprint, StabilityConfig(), workspace) is None
    again = store.load_evidence(report.fingerprint, SMALL, workspace)
    np.testing.assert_array_equal(
        again.groups("words", "none", 2), evidence.groups("words", "none", 2)
    )


def test_what_is_said_is_made_anew_from_the_tables(made):
    """As written before statements had parts, or by a version that said too much."""
    raw = json.loads(json.dumps(made[0].to_dict()))
    raw["statements"] = [{"topic": "headline", "text": "62 % {of} cases."}]
    report = StabilityReport.from_dict(raw)
    assert [one.text for one in report.statements] == [one.text for one in made[0].statements]
    claimed = {finding["claim"]: finding for finding in raw["findings"]}
    assert set(claimed) == {one.topic for one in report.statements}
    assert claimed["headline"]["verdict"] == "decided" and claimed["headline"]["interval"]
    assert report.ladder.to_rows() == made[0].ladder.to_rows()


@pytest.mark.parametrize("change", ["less", "more"])
def test_a_report_by_another_version_s_settings_is_passed_over(made, tmp_path, change):
    workspace = Workspace(tmp_path)
    path = store.save(*made, workspace) / "report.json"
    raw = json.loads(path.read_text())
    if change == "less":
        del raw["config"]["draws"]  # its default is another value than this report's
    else:
        raw["config"]["colour"] = "blue"
    path.write_text(json.dumps(raw))
    assert store.saved_reports(made[0].fingerprint, workspace) == []


def test_a_damaged_report_is_told_in_words(made, tmp_path):
    workspace = Workspace(tmp_path)
    folder = store.save(*made, workspace)
    (folder / "report.json").write_text('{"format": 1, "data')
    with pytest.raises(DataError, match="compute the report again"):
        store.load(made[0].fingerprint, SMALL, workspace)
    (folder / "evidence.npz").write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match="compute the report again"):
        Evidence.load(folder / "evidence.npz")


def test_the_explanations_of_an_item_are_found_on_the_ladder(made):
    _, evidence = made[-2:]
    groups = evidence.groups("words", "none", 2)
    wanted = groups["annotation_id"].iloc[[5, 0]].tolist()
    found = evidence.points_of(wanted, "words", 2)
    own = found[found["reduction"] == "none"]
    assert own["annotation_id"].tolist() == wanted
    assert own["rank"].tolist() == [3, 1]  # pairs: rows 4 and 5 are the third
    expected = groups.set_index("annotation_id").loc[wanted, ["predicted", "correct", "margin"]]
    assert own[["predicted", "correct", "margin"]].to_numpy().tolist() == (
        expected.to_numpy().tolist()
    )
    with pytest.raises(DataError, match="no evidence for style"):
        evidence.points_of(wanted, "style", 1)


def test_evidence_adds_up_to_the_ladder(made):
    """Groups of the first partition: their accuracy is near the ladder's, over all partitions."""
    report, evidence = made
    ladder = report.ladder.to_frame().set_index(["representation", "reduction", "k"])
    for k in (1, 4):
        groups = evidence.groups("words", "none", k)
        assert (groups.groupby("group")["annotation_id"].count() == k).all()
        assert groups["margin"].is_monotonic_decreasing
        assert ((groups["margin"] > 0) == groups["correct"]).all()
        own = groups.drop_duplicates("group").groupby("annotator_id")["correct"].mean().mean()
        assert own == pytest.approx(ladder.loc[("words", "none", k), "accuracy"], abs=0.12)
    with pytest.raises(DataError, match="no evidence"):
        evidence.groups("characters", "none", 1)


def test_more_planted_is_more_found():
    found = []
    for manner in (0.0, 0.7, 2.0):
        config = replace(TINY, representations=("words", "stylometry"), reductions=("none",))
        report, _ = compute(simulated(manner, items=100), config)
        ladder = report.ladder.to_frame()
        rows = ladder[(ladder["k"] == 1) & (ladder["reduction"] == "none")]
        found.append(rows.set_index("representation")["accuracy"])
    for view in ("words", "stylometry"):
        assert found[0][view] < found[1][view] < found[2][view], view


def test_nothing_planted_is_said_to_be_nothing():
    config = replace(SMALL, reductions=("none", "mask_input"))
    report, _ = compute(simulated(0.0, items=100), config)
    headline = next(s.text for s in report.statements if s.topic == "headline")
    ladder = report.ladder.to_frame()
    assert ladder["p_value"].min() > 0.002
    # 18 dependent points: those below .05 must stay few.
    assert (ladder["p_value"] <= 0.05).mean() < 0.35
    assert f"chance {percent(0.25)}" in headline


def test_it_can_be_stopped():
    def stop(what, share):
        if share > 0.3:
            raise Stopped("stopped by the test")

    with pytest.raises(Stopped):
        compute(simulated(1.0), TINY, progress=stop)


def test_a_stop_ends_the_embedding_beside_the_measures(monkeypatch):
    begun, stops, embedded = Event(), [], []
    progress_until = report_jobs._until

    def watched(stopped):
        stops.append(stopped)
        return progress_until(stopped)

    def encode(texts):
        begun.set()
        assert stops[0].wait(timeout=60)
        embedded.append(len(texts))
        return bag_of_words_vectors(texts)

    def stop(what, share):
        if share > 0:  # a measure that needs no embedding is done
            assert begun.wait(timeout=60)
            raise Stopped("stopped by the test")

    monkeypatch.setattr(report_jobs, "_until", watched)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    config = replace(TINY, representations=("words", "embedding"))
    with pytest.raises(Stopped):
        compute_report(simulated(1.0), config, embedder=Embedder(encode=encode), progress=stop)
    assert len(embedded) == 1  # what was under way is the last


def test_progress_only_goes_forward():
    shares = []
    compute(simulated(1.0, items=20), TINY, progress=lambda what, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_large_data_take_the_other_roads(monkeypatch):
    """With every limit lowered: no operators, few n-grams, the null on some items only."""
    from capo_core.stability import attribution
    from capo_core.stats import ridge
    from capo_core.text import representations

    config = replace(TINY, representations=("words", "stylometry"), null_rows=140)
    dataset = simulated(1.5, items=100)
    normal, _ = compute(dataset, config)
    for module in (attribution, ridge, representations):
        monkeypatch.setattr(module, "MANY_ROWS", 150)
    report, _ = compute(dataset, config)
    assert report.ladder.to_frame()["p_value"].notna().all()
    # The same scores by another road, but for n-grams (only the most frequent are kept).
    frames = [r.ladder.to_frame().query("representation == 'stylometry' and k == 1")
              for r in (report, normal)]  # fmt: skip
    np.testing.assert_allclose(frames[0]["accuracy"], frames[1]["accuracy"], atol=0.005)


@pytest.mark.parametrize(
    "dataset",
    [
        world(lambda i, a: "the same words", items=12, name="identical"),
        world(lambda i, a: f"{a} says {i}", items=12, annotators="AB", name="two"),
        world(lambda i, a: f"{a} {i}" if (i + ord(a)) % 3 else None, items=20, name="gaps"),
        world(lambda i, a: "?!" if a == "A" else "…", items=12, name="no words"),
    ],
    ids=lambda d: d.name,
)
def test_odd_data_give_a_report_without_nan(dataset):
    report, _ = compute(dataset, replace(SMALL, reductions=("none", "residual", "subspace")))
    json.dumps(report.to_dict(), allow_nan=False)
    assert len(report.ladder.to_frame())
    if dataset.name == "identical":
        ladder = report.ladder.to_frame()
        assert ladder["accuracy"].to_numpy() == pytest.approx(0.25)
        assert ladder["p_value"].to_numpy() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"representations": ("syllables",)}, "syllables"),
        ({"reductions": ()}, "empty"),
        ({"pool": (0, 1)}, "1,024"),
        ({"permutations": -1}, "permutations"),
        ({"seeds": 0}, "seeds"),
        ({"folds": 1}, "folds"),
    ],
)
def test_bad_settings_are_refused_in_words(options, word):
    with pytest.raises(ConfigError, match=word):
        StabilityConfig(**options)


def test_equal_wishes_are_equal_configurations():
    one = StabilityConfig(representations=("words", "embedding"), pool=(4, 1, 4))
    two = StabilityConfig(representations=("embedding", "words", "words"), pool=(1, 4))
    assert one.key == two.key
    assert StabilityConfig.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    with pytest.raises(ConfigError, match="colour"):
        StabilityConfig.from_dict({"colour": 1})


def test_what_needs_the_english_tagger_is_left_out_of_other_languages_and_said(made):
    """The explanations of a simulated data set, each word with a foreign ending."""
    dataset = simulated(1.5, items=20)
    rows = dataset.annotations
    foreign = rows["explanation"].str.replace(r"([A-Za-z])\b", r"\1ski", regex=True)
    dataset = replace(dataset, annotations=rows.assign(explanation=foreign))
    config = replace(TINY, representations=("words", "pos"), reductions=("none", "pos_noise"))
    report, _ = compute(dataset, config)
    ladder = report.ladder.to_frame()
    assert set(ladder["representation"]) == {"words"} and set(ladder["reduction"]) == {"none"}
    said = next(one.text for one in report.statements if one.topic == "language")
    assert said.startswith("These texts do not look English")
    assert (
        "Not computed, since they are for English: “Part-of-speech n-grams” and “Content words as "
        "parts of speech”."
    ) in said
    assert report.config == config and report.tagger == ""
    with pytest.raises(DataError, match="is for English"):
        compute(dataset, replace(config, representations=("pos",)))
    assert made[0].tagger.startswith("spaCy") and not any(
        one.topic == "language" for one in made[0].statements
    )


def _ladder(*rows):
    """Ladder rows (representation, accuracy, low, high) at k = 1."""
    return pd.DataFrame(
        [
            {"representation": view, "reduction": "none", "k": 1, "accuracy": accuracy, "low": low,
             "high": high, "chance": 0.25, "n_items": 80, "n_groups": 80, "p_value": None}
            for view, accuracy, low, high in rows
        ]
    )  # fmt: skip


def test_no_representation_is_the_best_where_intervals_overlap():
    near = _ladder(("words", 0.62, 0.58, 0.66), ("embedding", 0.6, 0.56, 0.64),
                   ("characters", 0.5, 0.46, 0.54))  # fmt: skip
    found = claims.representations(near)
    text = summary.RENDERERS["views"](found).text
    assert found.verdict == "undecided" and not found.breaches(text)
    assert "not significantly different" in text and "are" in text
    assert "significantly below word n-grams" in text
    clear = claims.representations(near.assign(low=near["accuracy"] - 0.005,
                                               high=near["accuracy"] + 0.005))  # fmt: skip
    assert clear.decided and "highest with word n-grams" in summary.RENDERERS["views"](clear).text


def test_statements_of_a_representation_are_of_that_one_and_compare_all():
    ladder = _ladder(("words", 0.62, 0.58, 0.66), ("embedding", 0.4, 0.36, 0.44))
    masked = ladder.assign(reduction="mask_input", accuracy=[0.7, 0.3], low=[0.68, 0.26],
                           high=[0.72, 0.34])  # fmt: skip
    controls = ladder.assign(control="random_mask", reduction="mask_input")
    labels = ladder.head(1).assign(control="label", representation="label", accuracy=0.31)
    nothing = pd.DataFrame()
    found = {"ladder": pd.concat([ladder, masked]), "controls": pd.concat([controls, labels]),
             "variance": nothing, "unsupervised": nothing}  # fmt: skip
    said = {view: {each.topic: each.text for each in summary.view_statements(found, view)}
            for view in ("words", "embedding")}  # fmt: skip
    assert "by word n-grams 62" in said["words"]["reduction"] and "70" in said["words"]["reduction"]
    assert "obscures" in said["words"]["reduction"]
    assert "40" in said["embedding"]["reduction"] and "30" in said["embedding"]["reduction"]
    less = summary.view_statements(
        found | {"controls": controls.assign(accuracy=0.1, low=0.08, high=0.12)}, "embedding"
    )
    assert (
        "less than other words do (20 points"
        in {each.topic: each.text for each in less}["reduction"]
    )  # masking takes nothing in the way of the annotators, but costs less than at random
    for topic in ("label", "views"):  # what is of no representation, or of all
        assert said["words"][topic] == said["embedding"][topic]
    assert "31" in said["words"]["label"]


@pytest.mark.parametrize(
    ("own", "item", "said"),
    [((-0.01, 0.03), (0.3, 0.5), "not significantly above zero"),
     ((0.01, 0.03), (0.3, 0.5), "20 times the annotator's"),
     ((0.01, 0.5), (0.3, 0.5), "not significantly different"),
     # The item's value lies outside of the annotator's interval, and their intervals overlap.
     ((0.01, 0.35), (0.3, 0.5), "not significantly different"),
     ((0.01, 0.03), (math.nan, math.nan), "no order of the two is stated"),
     ((0.01, 0.03), None, "no order of the two is stated")],
)  # fmt: skip
def test_the_ratio_of_shares_is_said_only_where_the_intervals_carry_it(own, item, said):
    """Finding: the annotator's share was held against the item's without the item's interval."""
    shares = {"item": 0.4, "annotator": 0.02, "residual": 0.58, "n_items": 80}
    ends = {"annotator_low": own[0], "annotator_high": own[1]}
    if item is not None:  # a former report has none
        ends |= {"item_low": item[0], "item_high": item[1]}
    row = {"representation": "words", "reduction": "none", **shares, **ends}
    found = claims.variance(pd.DataFrame([row]))
    text = summary.RENDERERS["variance"](found).text
    assert said in text and not found.breaches(text)
    assert "58.0\u00a0% is unexplained (interaction and noise)" in text
    known = item is not None and not math.isnan(item[0])
    assert ("the item explains 40.0\u00a0% [30.0–50.0]" in text) == known


def test_the_ladder_for_a_paper_has_a_row_for_each_line_and_a_column_for_each_k(made):
    report = made[0]
    names, rows = tables.ladder_table(report)
    assert names == ["Representation", "Reduction", *(f"k = {k}" for k in report.config.pool)]
    assert {len(row) for row in rows} == {len(names)}
    first = report.ladder.to_frame().iloc[0]
    assert rows[0][2] == f"{first.accuracy:.2f} [{first.low:.2f}–{first.high:.2f}]"
    text = tables.ladder_latex(report)
    assert text.count(r" \\") == len(rows) + 1 and "Simulated data: " in text
    assert rows[0][2].replace("–", "--") in text


def test_a_null_that_was_asked_for_and_is_not_there_is_explained(made):
    report = made[0]
    assert tables.null_reason(report) == ""
    frame = report.ladder.to_frame().assign(null_mean=None, null_high=None, p_value=None)
    without = replace(report, ladder=replace(report.ladder, frame=frame))
    annotators = f"{round(1 / frame['chance'].iloc[0])} annotators"
    assert tables.null_reason(without) == (
        "rests on at most 4,000 explanations, too few of some of the " + annotators
    )
    assert "no permutation null, since it rests on" in tables.ladder_note(without)
    apart = replace(report, ladder=replace(report.ladder, frame=frame.assign(n_shared=0)))
    assert tables.null_reason(apart) == ""  # said in words of its own
    many = replace(report, ladder=replace(report.ladder, frame=frame.assign(chance=1 / 900)))
    assert tables.ladder_note(many).startswith("Chance 0.0011;")


def test_each_annotator_has_an_accuracy_of_its_own_that_makes_the_whole(made):
    _, evidence = made[-2:]
    groups = evidence.groups("words", "none", 2)
    rows = by_annotator(groups).set_index("annotator_id")
    heads = groups.drop_duplicates("group")
    assert rows["correct"].sum() == heads["correct"].sum()
    assert rows["groups"].sum() == len(heads) and (rows["low"] <= rows["accuracy"]).all()
    for name, own in heads.groupby("annotator_id"):
        wrong = own[~own["correct"]]
        assert rows.loc[name, "accuracy"] == own["correct"].mean()
        assert (rows.loc[name, "taken_for"] == "") == wrong.empty
