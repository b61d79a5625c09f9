"""Tests beside the scores, on hand-made answers: replacement, personal form, equivalence."""

import json
import math
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.evaluation_tables import made_up_vectors, only_row

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.evaluation.compute import compute_report
from capo_core.evaluation.referee import equivalence, personal, replacement
from capo_core.evaluation.referee.answers import LABELS, LIKELIHOOD, WORDS, similarities
from capo_core.evaluation.referee.claims import (
    _VERDICTS,
    CLAIMS,
    DETECTABLE,
    EQUIVALENCE,
    MEASURES,
    PERSONAL,
    RENDERERS,
    REPLACEMENT,
)
from capo_core.evaluation.referee.tables import referee_tables
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import Stream, held_out_items, human_streams
from capo_core.evaluation.summary import statements
from capo_core.evaluation.table import ALL, TableConfig
from capo_core.findings import ComparisonSet, Finding, find
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.store import Member
from capo_core.runs.margins import margins_fixed
from capo_core.stats.equivalence import EquivalenceTest
from capo_core.task import NLI, Task
from capo_core.text.embeddings import Embedder
from capo_core.workspace import Workspace

EMBEDDER = Embedder(encode=made_up_vectors)
LETTERS = NLI.scale.labels
CONFIG = TableConfig(families=("labels", "explanations", "attribution"), pool=(1,))


def dataset(labels, texts=None, *, task=NLI, train=12):
    """People's labels (annotator → one an item, several by "/", "" for none) on test items; the
    same on some training items before them."""
    names, n = list(labels), len(next(iter(labels.values())))
    items, rows = [], []
    for number in range(train + n):
        test = number >= train
        items.append((f"i{number}", f"It is number {number}", "It moves",
                      "test" if test else "train"))  # fmt: skip
        for who in names:
            place = number - train if test else number % n
            for part, label in enumerate(filter(None, labels[who][place].split("/"))):
                text = texts[who][place] if texts else f"{who} says so {who}"
                rows.append((f"{number}-{who}-{part}", f"i{number}", who, label, text))
    return Dataset(
        "hand-made", task,
        pd.DataFrame(items, columns=["item_id", "text_a", "text_b", "split"]),
        pd.DataFrame(
            rows, columns=["annotation_id", "item_id", "annotator_id", "label", "explanation"]
        ).assign(valid="unknown"),
        origin="made for a test",
    )  # fmt: skip


def answers(source, target, labels, texts=None, replicate="0"):
    n = len(labels)
    return Stream(source, target, replicate, np.arange(n), tuple(labels),
                  tuple(texts or ["so it is"] * n))  # fmt: skip


def replaced(data, outputs, epsilon=0.2, families=("labels",)):
    ids = held_out_items(data)
    known = similarities(data, ids, outputs, families, EMBEDDER)
    return replacement.replacement_table(
        data, outputs, known, epsilon, len(ids), imitated(data, outputs)
    )


def personally(data, outputs, families=("labels",), **more):
    ids = held_out_items(data)
    known = similarities(data, ids, outputs, families, EMBEDDER)
    return personal.personal_table(data, outputs, known, len(ids), imitated(data, outputs), **more)


def imitated(data, outputs):
    return [who for who in data.annotators if any(s.target == who for s in outputs)]


E, N, C = LETTERS
# On 40 items ann and bob agree; cyd differs from both on the last ten.
AGREED = [E, N] * 20
STRAY = AGREED[:30] + [C] * 10


@pytest.fixture
def three():
    return dataset({"ann": AGREED, "bob": AGREED, "cyd": STRAY})


def test_replacement_counts_the_hand_computed_advantages(three):
    """In cyd's place "the agreed" matches both others always, cyd on 30 of 40: it wins the last ten
    and ties the rest. In ann's place "cyd's" loses the last ten: there the others say one each."""
    outputs = [answers("the agreed", "cyd", AGREED), answers("cyd's", "ann", STRAY)]
    found = replaced(three, outputs)
    win = only_row(found, source="the agreed", target="cyd")
    assert (win.advantage, win.person, win.n, win.verdict) == (1.0, 0.75, 40, "stands in")
    tie = only_row(found, source="cyd's", target="ann")
    # On the last ten ann matches bob, and cyd's label matches cyd: 1/2 each, a tie.
    assert (tie.advantage, tie.person) == (1.0, 1.0)
    overall = only_row(found, source="the agreed", target=ALL)
    # A test over annotators is not passed by one.
    assert (overall.won, overall.tested, overall.verdict) == (1, 1, "stands in")
    assert overall.note == "1 annotator tested: cyd"


def replacement_said(data, outputs):
    made = report_of(data, outputs, families=("labels",))
    text = next(s for s in made.statements if s.topic == REPLACEMENT).text
    return only_row(made.referee.replacement, target=ALL), text


def test_no_test_is_passed_on_one_annotator():
    """Finding: of four imitated annotators three had under 30 items; one of one was "passed"."""
    few = [*AGREED[:20], *[""] * 20]
    data = dataset({"ann": AGREED, "bob": few, "cyd": few, "dan": few, "eve": AGREED})
    overall, text = replacement_said(
        data, [answers("m", who, AGREED) for who in ("ann", "bob", "cyd", "dan")]
    )
    assert (overall.won, overall.tested, overall.verdict) == (1, 1, "stands in")
    assert overall.note == "1 of 4 annotators tested: ann"
    assert "m stands in for ann (ρ = 1.00 [" in text and ", n = 40)" in text
    assert "passed" not in text and "1 of 1" not in text


def test_of_one_imitated_annotator_the_sentence_names_that_one(three):
    _, text = replacement_said(three, [answers("m", "cyd", AGREED)])
    assert "m stands in for cyd (" in text and "passed" not in text
    _, text = replacement_said(three, [answers("m", "ann", [C] * 30 + [N] * 10)])
    assert "m not shown to stand in for ann (" in text and "passed" not in text


def test_of_two_annotators_the_sentence_says_that_one_decides(three):
    outputs = [answers("m", "ann", [C] * 30 + [N] * 10), answers("m", "cyd", AGREED)]
    overall, text = replacement_said(three, outputs)
    assert (overall.won, overall.tested, overall.verdict) == (1, 2, "passed")
    assert overall.note == "2 annotators tested, one decides"
    assert "m 1 of 2 (passed; 2 tested, one decides; ρ = " in text


def test_a_wrong_and_an_unreadable_answer_lose_alike(three):
    wrong = [C] * 30 + [N] * 10
    found = replaced(three, [answers("wrong", "ann", wrong), answers("mute", "ann", [""] * 40)])
    for source in ("wrong", "mute"):
        assert only_row(found, source=source, target=ALL).verdict == "not shown"
    assert only_row(found, source="mute", target="ann").advantage == 0.0


def test_fewer_than_thirty_items_are_not_tested():
    data = dataset({"ann": AGREED[:20], "bob": AGREED[:20], "cyd": AGREED[:20]})
    found = replaced(data, [answers("m", "ann", AGREED[:20])])
    one = only_row(found, target="ann")
    assert one.verdict == "not tested" and math.isnan(one.p) and "30" in one.note
    assert only_row(found, target=ALL).verdict == "not tested"


def test_a_single_annotator_has_nobody_to_be_compared_with():
    data = dataset({"ann": AGREED})
    outputs = [answers("m", "ann", AGREED)]
    one = only_row(replaced(data, outputs), target="ann")
    assert one.n == 0 and one.verdict == "not tested"
    alone = only_row(personally(data, outputs), target="ann")
    assert alone.verdict == "undecided" and "no other annotator" in alone.note
    assert only_row(personally(data, outputs), target=ALL).note == "no annotator could be compared"


def test_missing_labels_leave_out_items_and_several_count_by_the_nearest():
    data = dataset({"ann": [f"{E}/{N}"] * 40, "bob": ["", *[N] * 39], "cyd": ["", *[N] * 39]})
    found = only_row(replaced(data, [answers("m", "bob", [N] * 40)]), target="bob")
    assert found.n == 39 and (found.advantage, found.person) == (1.0, 1.0)
    # ann's own answer is the first label, E: the others say N.
    other = only_row(replaced(data, [answers("m", "ann", [N] * 40)]), target="ann")
    assert other.n == 39 and (other.advantage, other.person) == (1.0, 0.0)


def test_on_a_scale_similarity_is_minus_the_root_mean_square():
    """ann 3, others 5 and 1: ann is √((4 + 4)/2) = 2 away, the model's 2 is √((9 + 1)/2) = 2.24."""
    scale = Task("s", type(NLI.scale).between(1, 5), "text", "", "How much?")
    data = dataset({"ann": ["3"] * 40, "bob": ["5"] * 40, "cyd": ["1"] * 40}, task=scale)
    known = similarities(data, held_out_items(data), [], ("labels",), EMBEDDER)[0]
    others = [("5",), ("1",)]
    assert known.score("3", others) == pytest.approx(-2)
    assert known.score("2", others) == pytest.approx(-math.sqrt(5))
    assert known.score("", others) == pytest.approx(-4)
    found = only_row(replaced(data, [answers("m", "ann", ["2"] * 40)]), target="ann")
    assert (found.advantage, found.person) == (0.0, 1.0)


def test_seeds_are_averaged_before_the_test(three):
    two = [answers("m", "cyd", AGREED), answers("m", "cyd", [C] * 40, replicate="1")]
    found = only_row(replaced(three, two), target="cyd")
    # The second seed says C: right of nobody on 40 items; on the last ten so does cyd.
    assert found.advantage == pytest.approx((1.0 + 0.25) / 2) and found.n == 40


def test_explanations_are_compared_by_words():
    own = [f"because of the number {n}" for n in range(40)]
    strange = [f"zebra {n} xylophone" for n in range(40)]
    data = dataset(
        {"ann": AGREED, "bob": AGREED, "cyd": AGREED},
        {"ann": own, "bob": own, "cyd": strange},
    )
    other = ["quartz"] * 40
    outputs = [answers("copy", "cyd", AGREED, own), answers("copy", "ann", AGREED, other)]
    found = replaced(data, outputs, families=("explanations",))
    assert only_row(found, similarity=WORDS, target="cyd").verdict == "stands in"
    assert only_row(found, similarity=WORDS, target="ann").verdict == "not shown"
    assert set(found["similarity"]) == {WORDS, "embedding"}


def test_the_personal_form_is_against_the_best_other(three):
    """bob predicts ann perfectly, so nothing is better; of cyd the others know 30 of 40."""
    own = [answers("own", who, labels) for who, labels in (("ann", AGREED), ("cyd", STRAY))]
    found = personally(three, own)
    ann, cyd = (only_row(found, target=who) for who in ("ann", "cyd"))
    assert (ann.against, ann.value, ann.verdict) == ("bob", 0.0, "undecided")
    assert (cyd.method, cyd.person, cyd.value) == pytest.approx((1.0, 0.75, 0.25))
    assert cyd.verdict == "better" and cyd.low > 0 and cyd.n == 40
    overall = only_row(found, target=ALL)
    assert (overall.better, overall.tested, overall.verdict) == (1, 2, "undecided")
    assert overall.value == pytest.approx(0.125)


def test_worse_than_the_best_other_is_said(three):
    found = personally(three, [answers("bad", "ann", [C] * 40)])
    assert only_row(found, target="ann").verdict == only_row(found, target=ALL).verdict == "worse"


def test_worse_is_shown_with_the_other_annotator_who_decides_it():
    """Finding: the row showed the other with the largest mean, whose interval held 0, beside the
    p-value of another."""
    own = 5 * AGREED[:20]
    labels = {"ann": own, "bob": [*own[:8], *[""] * 92], "cyd": [*[C] * 10, *own[10:]]}
    bad = [*own[:4], *[C] * 96]
    found = only_row(personally(dataset(labels), [answers("bad", "ann", bad)]), target="ann")
    # bob is right on all 8, the imitation on 4 of them: −.5, the lower value, p = .125.
    assert (found.verdict, found.against, found.n) == ("worse", "cyd", 100)
    assert found.value == pytest.approx(0.04 - 0.9) and found.high < 0 and found.p_by < 0.001


def test_others_with_few_common_items_are_left_out_of_the_personal_form():
    """Finding: with bob on 5 items the row read "bob, n = 5, undecided" beside p = .0002."""
    own = 5 * AGREED[:20]
    labels = {"ann": own, "bob": [*own[:5], *[""] * 95], "cyd": [*[C] * 20, *own[20:]]}
    data = dataset(labels)
    worse = only_row(personally(data, [answers("bad", "ann", [C] * 100)]), target="ann")
    assert (worse.verdict, worse.against, worse.n) == ("worse", "cyd", 100)
    assert worse.note == "left out, with fewer than 6 items in common: bob"
    better = only_row(personally(data, [answers("good", "ann", own)]), target="ann")
    assert (better.verdict, better.against, better.n) == ("better", "cyd", 100)
    made = report_of(data, [answers("good", "ann", own)], families=("labels",))
    text = next(s for s in made.statements if s.topic == PERSONAL).text
    assert "fewer than 6 items in common with that one are not compared" in text


def test_better_than_one_other_is_not_better_than_the_best():
    labels = {"ann": AGREED, "bob": AGREED, "cyd": [C] * 40}
    slips = [C] * 4 + AGREED[4:]
    one = only_row(personally(dataset(labels), [answers("m", "ann", slips)]), target="ann")
    assert one.against == "bob" and one.verdict != "better"


def test_one_item_decides_nothing():
    data = dataset({"ann": [E], "bob": [N], "cyd": [C]})
    found = only_row(personally(data, [answers("m", "ann", [E])]), target="ann")
    assert found.n == 1 and found.value == 1.0 and found.verdict == "undecided"


def test_likelihood_compares_who_is_taken_for_the_author(three):
    """Scores under two adapters: the imitation's texts are ann's in probability, bob's are not."""
    n = 40
    sure = np.tile([4.0, -2.0, -2.0], (n, 1))
    not_sure = np.tile([-1.0, 2.0, -1.0], (n, 1)) + np.linspace(0, 0.5, n)[:, None]
    own = answers("m", "ann", AGREED)
    others = [s for s in human_streams(three, held_out_items(three)) if s.target == "ann"]
    pairs = [(own, sure), *((s, not_sure) for s in others)]
    found = personally(three, [own], likelihoods=pairs, same_training=("m",))
    one = only_row(found, similarity=LIKELIHOOD, target="ann")
    assert one.verdict == "better" and one.method > 0.98 > 0.1 > one.person
    assert "partial" in one.note
    assert only_row(found, similarity=LABELS, target="ann").note == ""


def report_of(data, outputs, **settings):
    return compute_report(
        data, held_out_items(data), outputs, replace(CONFIG, **settings), embedder=EMBEDDER
    )


def manners(data):
    """People who write in words of their own."""
    words = {"ann": "clearly surely plainly", "bob": "maybe perhaps", "cyd": "never nothing"}
    rows = data.annotations
    texts = [f"{words[who]} thing {i}" for who, i in
             zip(rows["annotator_id"], rows["item_id"], strict=True)]  # fmt: skip
    return replace(data, annotations=rows.assign(explanation=texts))


def copies(data, source, author_of):
    human = {s.target: s for s in human_streams(data, held_out_items(data)) if s.source == "human"}
    return [
        replace(human[author_of(who)], source=source, target=who, replicate="0")
        for who in data.annotators
    ]


@pytest.fixture(scope="module")
def report():
    data = manners(dataset({"ann": 2 * AGREED, "bob": 2 * AGREED, "cyd": 2 * STRAY}))
    after = {"ann": "bob", "bob": "cyd", "cyd": "ann"}
    half = {"ann": "ann", "bob": "bob", "cyd": "ann"}
    outputs = [
        *copies(data, "copy", lambda who: who), *copies(data, "other", after.get),
        *copies(data, "half", half.get),
    ]  # fmt: skip
    return report_of(data, outputs)


def test_a_copy_is_indistinguishable_and_another_person_is_not(report):
    rows = report.referee.equivalence
    main = rows[(rows["measure"] == CONFIG.views[0].name) & (rows["target"] == ALL)]
    verdicts = main.set_index("source")["verdict"].to_dict()
    # One annotator who is not imitated is enough: two that are do not cancel it.
    assert verdicts == {"copy": "equivalent", "other": "different", "half": "different"}
    assert only_row(main, source="half").note == "annotator cyd"
    text = next(s for s in report.statements if s.topic == "equivalence").text
    assert "statistically indistinguishable from the human: copy" in text
    assert "other and half" in text.split("further away than the margin")[1]
    shown = find(report.findings, EQUIVALENCE)
    assert shown.decided and "indistinguishable" not in shown.must_not


def test_an_annotator_whom_not_all_methods_imitate_has_no_part_in_the_verdict_over_all():
    """Finding: with cyd imitated by one method only, and badly, the row over ann and bob read
    "different" beside an interval within the margin."""
    data = manners(dataset({"ann": 2 * AGREED, "bob": 2 * AGREED, "cyd": 2 * STRAY}))
    only = copies(data, "one", {"ann": "ann", "bob": "bob", "cyd": "ann"}.get)
    both = [stream for stream in copies(data, "two", lambda who: who) if stream.target != "cyd"]
    made = report_of(data, [*only, *both])
    rows = made.referee.equivalence
    rows = rows[(rows["measure"] == CONFIG.views[0].name) & (rows["source"] == "one")]
    assert rows.set_index("target")["verdict"].to_dict() == {
        "ann": "equivalent", "bob": "equivalent", "cyd": "different", ALL: "equivalent",
    }  # fmt: skip
    overall = only_row(rows, target=ALL)
    assert overall.note in ("annotator ann", "annotator bob") and overall.high < overall.margin
    text = next(s for s in made.statements if s.topic == EQUIVALENCE).text
    assert "for each of ann and bob, " in text and "every annotator" not in text
    assert "every annotator whom all methods imitate" in made.methods["text"]


def test_the_row_over_all_shows_the_annotator_who_is_different():
    """Also where another one could not be tested, which is no difference."""
    tests = {
        "ann": EquivalenceTest(0.3, 0.2, 0.4, 0.1, 0.99, 80),
        "bob": EquivalenceTest(0.0, math.nan, math.nan, 0.1, math.nan, 5, "too few"),
        "cyd": EquivalenceTest(0.0, -0.05, 0.05, 0.1, 0.01, 80),
    }
    found = {who: (0.5, 0.5, test) for who, test in tests.items()}
    (*_, overall) = equivalence._rows("m", "label consistency", 0, found, list(found))
    assert overall[1] == ALL and overall[-1] == "annotator ann"
    (*_, overall) = equivalence._rows("m", "label consistency", 0, found, ["bob", "cyd"])
    assert overall[-1] == "annotator bob: too few"


def test_many_annotators_are_counted_and_not_named():
    finding = Finding(
        EQUIVALENCE, "undecided",
        {"fixed": True, "parts": [{"measure": "label consistency", "margin": 0.1, "alpha": False,
                                   "n": "n = 40", **{verdict: [] for verdict in _VERDICTS}}]},
        compared=ComparisonSet(tuple(f"a{n}" for n in range(30)), 40),
    )  # fmt: skip
    assert "for each of 30 annotators, within" in RENDERERS[EQUIVALENCE](finding).text


def test_a_margin_that_was_not_fixed_before_makes_nobody_indistinguishable(report):
    data = manners(dataset({"ann": 2 * AGREED, "bob": 2 * AGREED, "cyd": 2 * STRAY}))
    made = compute_report(
        data, held_out_items(data), copies(data, "copy", lambda who: who),
        replace(CONFIG, margin=0.3), embedder=EMBEDDER, margins_fixed=False,
    )  # fmt: skip
    back = EvaluationReport.from_dict(json.loads(json.dumps(made.to_dict(), default=str)))
    for one in (made, back):
        (table,) = (t for t in referee_tables(one) if t.name == "equivalence")
        shown = next(f for f in one.findings if f.claim == "equivalence")
        sentence = next(s for s in statements(one) if s.topic == "equivalence").text
        for text in (table.meaning, sentence, one.methods["text"]):
            assert "margin of this evaluation, not fixed before" in text
            assert "fixed in the configuration" not in text
        assert "statistically indistinguishable" not in sentence and "within the margin: copy" in (
            sentence
        )
        assert "indistinguishable" in shown.must_not
        assert {row[list(table.columns).index("Result")] for row in table.rows} == {
            "within the margin"
        }
    assert "fixed before" not in report.methods["text"]


def test_margins_are_fixed_by_the_earliest_experiment_of_a_run(tmp_path):
    workspace = Workspace(tmp_path)

    def plan(name, made, **evaluate):
        folder = workspace.experiments / name
        folder.mkdir(parents=True)
        config = ExperimentConfig("data", targets=("a",), evaluate=evaluate).to_dict()
        member = vars(Member("g", "generate", "sft", 0, 1.0))
        raw = {"config": config, "made": made, "runs": [member]}
        (folder / "experiment.json").write_text(json.dumps(raw))

    wide = TableConfig(margin=0.3)
    assert margins_fixed(workspace, ["g"], TableConfig())
    assert not margins_fixed(workspace, ["g"], wide)
    plan("later", 2.0, margin=0.3)
    assert margins_fixed(workspace, ["g"], wide)
    assert not margins_fixed(workspace, ["another"], wide)
    plan("earlier", 1.0)
    assert not margins_fixed(workspace, ["g"], wide)
    assert not margins_fixed(workspace, ["g"], TableConfig(alpha_margin=0.2))
    (workspace.experiments / "earlier" / "experiment.json").write_text("{")
    assert not margins_fixed(workspace, ["g"], wide)  # what it planned cannot be known
    assert margins_fixed(workspace, ["g"], TableConfig())


def test_an_experiment_around_runs_that_have_results_fixes_no_margin(tmp_path):
    """Formerly one could generate, look, and start an experiment with another margin over the same
    settings: its runs are those that exist."""
    workspace = Workspace(tmp_path)
    wide = TableConfig(margin=0.3)

    def plan(name, made):
        folder = workspace.experiments / name
        folder.mkdir(parents=True)
        config = ExperimentConfig("data", targets=("a",), evaluate={"margin": 0.3}).to_dict()
        members = [vars(Member(run, "generate", "sft", 0, 1.0)) for run in ("old", "new", "bare")]
        raw = {"config": config, "made": made, "runs": members}
        (folder / "experiment.json").write_text(json.dumps(raw))

    def answered(run, *times):
        (workspace.runs / run).mkdir(parents=True)
        lines = [json.dumps({"t": at, "event": "begin"}) for at in times]
        (workspace.runs / run / "events.jsonl").write_text("\n".join(lines) + "\n")

    answered("old", 100.0, 900.0)  # resumed later
    answered("new", 500.0)
    (workspace.runs / "bare").mkdir()
    result = workspace.runs / "bare" / "result.json"
    result.write_text("{}")
    os.utime(result, (300.0, 300.0))
    plan("afterwards", 400.0)
    assert margins_fixed(workspace, ["new"], wide)
    for runs in (["old"], ["bare"], ["new", "old"]):
        assert not margins_fixed(workspace, runs, wide)
        assert margins_fixed(workspace, runs, TableConfig())
    plan("before", 100.0004)  # times of events are rounded
    assert margins_fixed(workspace, ["new", "old", "bare"], wide)


def test_a_difference_from_the_human_has_one_interval(report):
    """The table of distances, that of differences, and sentences read the same ends; also in a
    report of an earlier version, whose tables have two intervals."""
    former = json.loads(json.dumps(report.to_dict(), default=str))
    for row in former["differences"]:
        row["low"], row["high"] = row["value"] - 0.01, row["value"] + 0.01
    for made in (report, EvaluationReport.from_dict(former)):
        distances = made.human_distance.distances
        assert len(distances)
        for one in distances.itertuples():
            found = made.difference(one.source, "human", one.measure, one.k, one.target)
            same = (found.value, found.low, found.high)
            assert same == pytest.approx((one.gap, one.gap_low, one.gap_high), nan_ok=True)
            held = one.gap_low <= 0 <= one.gap_high
            assert not held or found.verdict == "undecided"


def test_the_level_of_an_interval_that_is_not_95_percent_stands_in_its_header(report):
    (table,) = (t for t in referee_tables(report) if t.name == "equivalence")
    assert [name for name in table.columns if "Difference" in name] == ["Difference (90 % CI)"]


def test_few_items_never_make_anyone_indistinguishable():
    labels = {who: given[:9] for who, given in (("ann", AGREED), ("bob", AGREED), ("cyd", STRAY))}
    data = manners(dataset(labels))
    few = report_of(data, copies(data, "copy", lambda who: who))
    rows = few.referee.equivalence
    assert len(rows) and (rows["verdict"] == "undecided").all()
    assert all("indistinguishable" not in s.text for s in few.statements)
    shown = find(few.findings, EQUIVALENCE)
    assert shown.verdict == "undecided" and "indistinguishable" in shown.must_not
    assert rows["note"].str.contains("too few").all()


def test_alpha_of_the_group_is_tested_with_its_own_margin(report):
    rows = report.referee.equivalence
    alpha = rows[rows["measure"] == equivalence.ALPHA]
    copy = only_row(alpha, source="copy", target="cyd")
    assert copy.value == 0 and copy.verdict == "equivalent" and copy.n == 80
    # Someone who agrees with the others, in the place of cyd who does not, is no equivalent.
    other = only_row(alpha, source="half", target="cyd")
    assert other.method > other.human + 0.1 and other.verdict != "equivalent"


def test_the_margin_is_a_setting_of_the_evaluation_and_part_of_its_provenance(report):
    assert report.referee.margin == 0.1 and "within ±10 points" in report.methods["text"]
    changed = replace(CONFIG, margin=0.05, annotator_kind="crowd", alpha_margin=0.2)
    assert TableConfig.from_dict(changed.to_dict()) == changed
    assert changed.to_dict()["margin"] == 0.05 and "margin" not in CONFIG.to_dict()
    for wrong in ({"margin": 0.0}, {"alpha_margin": -1.0}, {"annotator_kind": "anyone"}):
        with pytest.raises(ConfigError):
            replace(CONFIG, **wrong)


def test_every_kind_of_test_has_a_finding_and_a_sentence_that_keeps_to_it(report):
    by_claim = {f.claim: f for f in report.findings if f.claim in CLAIMS}
    assert set(by_claim) == set(CLAIMS)
    said = {claim: RENDERERS[claim](finding).text for claim, finding in by_claim.items()}
    assert not any(by_claim[claim].breaches(text) for claim, text in said.items())
    assert set(said.values()) <= {s.text for s in report.statements}
    assert "ε = 0.15, skilled annotators" in said[REPLACEMENT]
    assert "copy 3 of 3 (passed; ρ = 1.00" in said[REPLACEMENT]
    assert "80 % power" in said[DETECTABLE] and "(3 comparisons, n = 240)" in said[DETECTABLE]
    assert "point estimates" in said[MEASURES]
    assert "best other" not in said[PERSONAL] and "every other annotator" in said[PERSONAL]


def test_of_one_annotator_the_same_findings_are_about_that_one(report):
    said = {s.topic: s.text for s in statements(report, "cyd") if s.topic in CLAIMS}
    assert set(said) == set(CLAIMS) - {MEASURES}
    assert "half undecided" not in said[EQUIVALENCE] and "every annotator" not in said[EQUIVALENCE]
    assert "copy stands in" in said[REPLACEMENT] and "of 3" not in said[REPLACEMENT]
    assert "against the best other annotator" in said[PERSONAL]


def test_the_tests_come_back_from_a_file(report):
    again = EvaluationReport.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False)))
    for name in ("replacement", "personal", "equivalence", "measures", "measure_pairs"):
        pd.testing.assert_frame_equal(
            getattr(again.referee, name), getattr(report.referee, name), check_dtype=False
        )
    assert again.referee.epsilon == 0.15 and not again.referee.empty
    former = report.to_dict()
    del former["referee"]
    assert EvaluationReport.from_dict(former).referee.empty


def test_rows_of_one_target(report):
    of = report.referee.of_target("cyd")
    assert set(of.equivalence["target"]) == set(of.personal["target"]) == {"cyd"}
    assert len(of.measures) == len(report.referee.measures)


def test_measures_are_told_by_ceiling_and_floor_and_correlated_over_items(report):
    measures = report.referee.measures
    words = only_row(measures, measure=CONFIG.views[0].name)
    assert words.ceiling > 0.9 and words.floor < 0.1 and words.tells_apart == "yes"
    assert words.nearest == "copy"
    rouge = only_row(measures, measure="ROUGE-L")
    assert math.isnan(rouge.ceiling) and rouge.note
    pairs = report.referee.measure_pairs
    assert (pairs["methods"] == 3).all()
    assert len(pairs) == len(measures) * (len(measures) - 1) / 2


def test_a_report_of_one_method_makes_no_order():
    data = manners(dataset({"ann": AGREED, "bob": AGREED, "cyd": STRAY}))
    alone = report_of(data, copies(data, "copy", lambda who: who))
    assert not {MEASURES, DETECTABLE} & {s.topic for s in alone.statements}


def test_too_few_items_to_find_any_difference_is_said():
    """Finding: below six items nothing was said of what could be found."""
    labels = dict.fromkeys(("ann", "bob", "cyd"), AGREED[:5])
    data = manners(dataset(labels))
    outputs = [*copies(data, "one", lambda who: who), *copies(data, "two", lambda who: who)]
    text = next(s for s in report_of(data, outputs).statements if s.topic == DETECTABLE).text
    assert text.startswith("Too few items to find a difference of any size with 80 % power")


def test_methods_for_different_annotators_have_rows_of_their_own_but_no_mean():
    data = manners(dataset({"ann": AGREED, "bob": AGREED, "cyd": STRAY}))
    every = copies(data, "copy", lambda who: who)
    apart = report_of(data, [every[0], replace(every[1], source="other")])
    tables = (apart.referee.replacement, apart.referee.personal, apart.referee.equivalence)
    for table in tables:
        assert set(table["target"]) == {"ann", "bob"}
    assert not {REPLACEMENT, PERSONAL, EQUIVALENCE} & {f.claim for f in apart.findings}
