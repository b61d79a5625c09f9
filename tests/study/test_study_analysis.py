"""The parts of the analysis against counts by hand, textbook values and other programs."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from helpers.judgments import PEOPLE, attribution, judgments, small_draft
from scipy.stats import binom

from capo_core.errors import ConfigError, DataError
from capo_core.stats.bradley_terry import fit_ties
from capo_core.stats.dawid_skene import dawid_skene
from capo_core.stats.logistic import logistic
from capo_core.study.analysis import attribution as analysis_attribution
from capo_core.study.analysis.analysis import AnalysisSettings, analyse
from capo_core.study.analysis.attribution import mixed_model
from capo_core.study.analysis.consensus import consensus, named_by, weighted_vote
from capo_core.study.analysis.judges import ALL, fleiss, judge_agreement, judge_behaviour
from capo_core.study.analysis.latex_report import to_latex
from capo_core.study.analysis.length import length_effect
from capo_core.study.analysis.preferences import preference, wins
from capo_core.study.analysis.report import (
    StudyFacts,
    StudyReport,
    methods_paragraph,
    sections,
    to_markdown,
)
from capo_core.study.simulated_judges import (
    SimulatedJudges,
    SimulatedJudgesConfig,
    SourceEffects,
    simulate_judgments,
)
from capo_core.study.trial_kinds.comparison import LENGTH_QUESTION


@pytest.fixture(scope="module")
def simulated():
    draft = small_draft(judges=8, comparisons=40, others=30)
    judges = SimulatedJudges.drawn(
        8, SimulatedJudgesConfig(seed=2, attentiveness=0.9, skill=0.8, doubt=0.08)
    )
    return simulate_judgments(
        draft, judges, 4, SourceEffects({"human": 1.0}, {"sft": 0.4})
    ).judgments


@pytest.fixture(scope="module")
def analysis(simulated):
    return analyse(simulated, PEOPLE, AnalysisSettings(draws=200))


def named(right, wrong, unsure, source="human"):
    answers = ["ann-1"] * right + ["ann-2"] * wrong + ["cannot_tell"] * unsure
    return [
        attribution(f"J{k % 4}", f"{source}{k}", said, source=source)
        for k, said in enumerate(answers)
    ]


def test_accuracy_counts_cannot_tell_both_ways_and_tests_exactly():
    table = analysis_attribution.accuracy(judgments(*named(9, 3, 4)), PEOPLE).set_index("counting")
    wrong, left_out = (
        table.loc[analysis_attribution.AS_WRONG],
        table.loc[analysis_attribution.LEFT_OUT],
    )
    assert (wrong["n"], wrong["right"], wrong["value"]) == (16, 9, 9 / 16)
    assert (left_out["n"], left_out["right"], left_out["value"]) == (12, 9, 9 / 12)
    assert (table["cannot_tell"] == 4).all()
    assert (table["chance"] == 1 / 3).all()
    chances = binom.pmf(np.arange(17), 16, 1 / 3)
    exact = chances[chances <= chances[9] * (1 + 1e-7)].sum()  # two-sided: no likelier than seen
    assert wrong["p_value"] == pytest.approx(exact)


def test_checks_mirrors_and_practice_do_not_count_in_accuracy():
    rows = [*named(4, 0, 0), *(attribution("J1", f"x{p}", "ann-2", purpose=p)
                               for p in ("check", "mirror", "practice"))]  # fmt: skip
    assert (analysis_attribution.accuracy(judgments(*rows), PEOPLE)["n"] == 4).all()


def test_confusion_has_every_cell_and_adds_up():
    table = analysis_attribution.confusion(judgments(*named(5, 2, 1)), PEOPLE)
    assert len(table) == 3 * 4
    own = table[table["truth"] == "ann-1"].set_index("answer")
    assert own["count"].to_dict() == {"ann-1": 5, "ann-2": 2, "ann-3": 0, "cannot_tell": 1}
    assert own["share"].sum() == pytest.approx(1)
    assert table[table["truth"] == "ann-2"]["share"].isna().all()


def test_differences_of_sources():
    rows = [*named(9, 3, 0), *named(3, 9, 0, "sft")]
    table = analysis_attribution.differences(judgments(*rows))
    assert table["value"].tolist() == [0.5, 0.5]


def davidson(won_a, won_b, tied):
    outcome = np.repeat([0, 1, 2], [won_a, won_b, tied])
    n = len(outcome)
    zeros = np.zeros(n, dtype=int)
    return fit_ties(zeros, zeros + 1, outcome, ("a", "b"), np.arange(n), np.arange(n))


def test_two_sources_have_davidsons_closed_form():
    made = davidson(30, 12, 18)
    gap = made.strengths["strength"].diff().iloc[1]
    assert -gap == pytest.approx(math.log(30 / 12))
    assert made.tie == pytest.approx(18 / math.sqrt(30 * 12))
    assert made.strengths["strength"].sum() == pytest.approx(0)
    pair = made.pairs.iloc[0]
    assert pair["odds_share_a"] == pytest.approx(30 / 42)
    # Independent judgments: the variance of log(30/12) is 1/30 + 1/12 (delta method).
    error = math.sqrt((1 / 30 + 1 / 12) * 60 / 59)
    width = math.log(pair["high"] / (1 - pair["high"])) - math.log(pair["low"] / (1 - pair["low"]))
    assert width == pytest.approx(2 * 2.0 * error, rel=0.02)


def test_without_ties_it_is_bradley_terry():
    made = davidson(20, 5, 0)
    assert made.tie == 0
    assert made.pairs.iloc[0]["odds_share_a"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    "a, b, outcome, words",
    [
        ([0, 0, 1], [1, 2, 2], [0, 0, 0], "x never lost"),
        ([0, 1, 1], [1, 0, 2], [0, 0, 0], "z never won"),
        ([0, 0], [1, 1], [0, 1], "never compared"),
    ],
)
def test_separation_is_said_in_words(a, b, outcome, words):
    n = np.arange(len(a))
    made = fit_ties(np.array(a), np.array(b), np.array(outcome), ("x", "y", "z"), n, n)
    assert words in made.note
    assert made.strengths["strength"].isna().all()
    assert made.pairs["n"].sum() == len(a)
    json.dumps(made.to_dict()["note"])


def test_ties_alone_do_not_make_a_difference_finite():
    """Five wins, three ties, no loss: ν and the gap rise together without end."""
    made = davidson(5, 0, 3)
    assert "a never lost" in made.note and "b never won" in made.note
    assert made.pairs[["wins_a", "ties", "wins_b"]].iloc[0].tolist() == [5, 3, 0]
    assert "ties" in davidson(0, 0, 4).note


def test_wins_count_ties_as_half_and_follow_the_source():
    rows = [{"trial_id": f"T{k}", "judge_id": f"J{k % 3}", "item_id": f"i{k % 4}", "answer": said}
            for k, said in enumerate("aaab")]  # fmt: skip
    rows += [
        {"trial_id": "T8", "judge_id": "J1", "item_id": "i2", "source_a": "sft",
         "source_b": "human", "answer": "b"},
        {"trial_id": "T9", "judge_id": "J2", "item_id": "i3", "answer": "tie"},
    ]  # fmt: skip
    row = wins(judgments(*rows)).iloc[0]
    assert row[["source_a", "source_b", "n", "wins_a", "ties", "wins_b"]].tolist() == [
        "human", "sft", 6, 4, 1, 1
    ]  # fmt: skip
    assert row["share_a"] == pytest.approx(4.5 / 6)
    assert preference(judgments({"kind": "reasoning"})) is None


def test_fleiss_own_example():
    """Fleiss (1971), as in many textbooks: ten subjects, fourteen raters, five categories: .210."""
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    rows = [
        {"trial_id": f"T{t}", "judge_id": f"J{j}", "answer": answer_}
        for t, row in enumerate(counts)
        for j, answer_ in enumerate(np.repeat(list("12345"), row))
    ]
    made = fleiss(pd.DataFrame(rows), draws=200)
    assert made.value == pytest.approx(0.210, abs=0.0005)
    assert made.low < made.value < made.high


def test_complete_agreement_has_no_interval_by_any_measure():
    """Finding: Fleiss' kappa had [1.00, 1.00], where alpha and raw agreement have none."""
    rows = [
        attribution(f"J{j}", f"T{t}", PEOPLE[t % 2], item_id=f"i{t}")
        for t in range(12)
        for j in range(3)
    ]
    table = judge_agreement(judgments(*rows), draws=50)
    assert table["value"].tolist() == [1, 1, 1] and table["low"].isna().all()
    assert table["note"].str.startswith("no disagreement at all").all()


def test_alpha_comes_first_and_is_krippendorffs(simulated):
    import krippendorff

    table = judge_agreement(simulated, draws=100)
    assert table["measure"].tolist()[::3] == ["krippendorff_alpha"] * 3
    assert table["measure"].tolist()[2::3] == ["raw_agreement"] * 3
    rows = simulated[(simulated["kind"] == "reasoning") & (simulated["purpose"] == "main")]
    data = rows.pivot(index="judge_id", columns="trial_id", values="answer").astype(float)
    expected = krippendorff.alpha(data.to_numpy(), level_of_measurement="ordinal")
    assert set(table["metric"]) >= {"nominal metric", "ordinal metric", "same answer"}
    found = table[(table["kind"] == "reasoning")].iloc[0]["value"]
    assert found == pytest.approx(expected)


def test_nobody_meets_nobody_agrees():
    rows = judgments(*named(3, 0, 0))
    notes = judge_agreement(rows, draws=50)["note"]
    assert (notes != "").all()


def test_conduct_counts_sides_repeats_checks_and_time():
    frame = judgments(
        {"side": "left", "duration_s": 4.0},
        {"trial_id": "T2", "side": "left", "duration_s": 8.0, "changes": 2},
        {"trial_id": "T3", "purpose": "mirror", "mirror_of": "T1", "answer": "b", "side": "left",
         "duration_s": 6.0},
        {"trial_id": "T4", "purpose": "mirror", "mirror_of": "T2", "answer": "a", "side": "right",
         "duration_s": 6.0},
        {"trial_id": "T5", "purpose": "check", "truth": "b", "answer": "tie", "side": ""},
        {"trial_id": "T6", "purpose": "practice", "side": "right"},
    )  # fmt: skip
    row = judge_behaviour(frame).set_index("judge_id").loc["J01"]
    assert (row["n"], row["n_sided"], row["left"]) == (5, 4, 0.75)
    assert (row["n_repeats"], row["same"], row["flipped_to_side"]) == (2, 0.5, 1)
    assert (row["n_checks"], row["checks_right"]) == (1, 0.0)
    assert row["cannot_tell"] == pytest.approx(1 / 5)
    assert (row["seconds_median"], row["changes"]) == (6.0, 2)
    assert judge_behaviour(frame)["judge_id"].tolist() == [ALL, "J01"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_dawid_skene_equals_crowd_kit():
    from crowdkit.aggregation import DawidSkene

    rng = np.random.default_rng(5)
    truth = rng.choice(list("xyz"), 60)
    rows = []
    for task, right in enumerate(truth):
        for worker, skill in enumerate((0.9, 0.8, 0.6, 0.3)):
            said = right if rng.random() < skill else rng.choice(list("xyz"))
            rows.append((f"t{task:02}", f"w{worker}", said))
    table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    ours = dawid_skene(table, steps=12)
    theirs = DawidSkene(n_iter=12, tol=-np.inf).fit(table)  # never stops early
    expected = theirs.probas_.loc[ours.probabilities.index, ours.probabilities.columns]
    np.testing.assert_allclose(ours.probabilities, expected, atol=1e-9)
    assert (np.diff(ours.trace) >= -1e-9).all() and len(ours.trace) > 3
    best = ours.probabilities.idxmax(axis=1).to_numpy()
    assert (best == truth).mean() > (table["label"] == np.repeat(truth, 4)).mean()


def test_known_truths_are_held_and_smoothing_keeps_the_likelihood_rising():
    table = pd.DataFrame(
        [(f"t{k}", f"w{w}", "x" if w else "y") for k in range(6) for w in range(3)],
        columns=["task", "worker", "label"],
    )
    made = dawid_skene(table, known={"t0": "y", "t1": "y", "unheard": "x"}, smoothing=(1.0, 4.0))
    assert made.probabilities.loc["t0", "y"] == 1
    assert (np.diff(made.trace) >= -1e-9).all()


def test_consensus_stands_beside_raw(simulated):
    table = consensus(simulated).set_index("source")
    named_rows = named_by(simulated)
    assert "cannot_tell" not in set(named_rows["label"])
    human = table.loc["human"]
    assert human["weighted_right"] >= human["raw_right"]
    assert human["n_trials"] == 15


@pytest.fixture
def reversed_model(monkeypatch):
    """A model of one's own: everybody is said to have written what ann-2 did."""
    from capo_core.study.analysis import crowd_models

    def fit(named, seed):
        tasks, workers = named["task"].unique(), named["worker"].unique()
        return pd.Series("ann-2", index=tasks), pd.Series(float(seed), index=workers)

    model = crowd_models.CrowdModel("always", "Always ann-2", "nobody", "a test's", "the seed", fit)
    monkeypatch.setattr(
        crowd_models, "CROWD_MODELS", {**crowd_models.CROWD_MODELS, "always": model}
    )
    monkeypatch.setattr(crowd_models, "missing_package", lambda: "")


def test_a_further_model_stands_beside_dawid_skene_in_report_and_methods(simulated, reversed_model):
    plain = analyse(simulated, PEOPLE, AnalysisSettings(draws=20))
    assert plain.crowd_consensus.empty and plain.crowd_skills.empty
    assert "Beside the planned analysis" not in methods_paragraph(StudyReport(plain, StudyFacts()))
    options = AnalysisSettings(seed=3, draws=20, crowd_models=("always",))
    found = analyse(simulated, PEOPLE, options)
    pd.testing.assert_frame_equal(found.consensus, plain.consensus)  # the plan is what it was
    main = simulated[
        (simulated["kind"] == "attribution") & (simulated["purpose"] == "main")
        & (simulated["answer"] != "cannot_tell")
    ].drop_duplicates("trial_id")  # fmt: skip
    vote = weighted_vote(simulated)
    for row in found.crowd_consensus.itertuples(index=False):
        trials = main[main["source"] == row.source]
        assert row.n_trials == len(trials)
        assert row.right == pytest.approx((trials["truth"] == "ann-2").mean())
        assert row.low < row.right < row.high
        assert row.as_dawid_skene == pytest.approx((vote[trials["trial_id"]] == "ann-2").mean())
    assert set(found.crowd_skills["skill"]) == {3.0}
    assert len(found.crowd_skills) == named_by(simulated)["worker"].nunique()
    report = StudyReport(found, StudyFacts())
    assert "reconciled by Always ann-2 (nobody), as implemented in crowd-kit" in methods_paragraph(
        report
    )
    assert {"Attributions by further models of the judges", "Judges by further models"} <= {
        section.title for section in sections(found)
    }
    assert "Always ann-2" in to_markdown(report) and report.to_dict()["analysis"]["crowd_skills"]


def test_mace_of_crowd_kit_tells_a_guesser_and_is_named(simulated):
    from capo_core.study.analysis.crowd_models import crowd_results

    rows = [
        attribution(f"J{k}", f"t{t}", PEOPLE[t % 2] if k < 3 else PEOPLE[(t // 3 + k) % 2],
                    source="human", truth=PEOPLE[t % 2])
        for t in range(24) for k in range(4)
    ]  # fmt: skip
    frame = judgments(*rows)
    found = crowd_results(frame, ("mace",), weighted_vote(frame))
    (row,) = found.consensus.itertuples(index=False)
    assert (row.model, row.right, row.as_dawid_skene, row.n_trials) == ("MACE", 1.0, 1.0, 24)
    skill = found.skills.set_index("judge_id")["skill"]
    assert skill["J3"] < 0.5 < skill[["J0", "J1", "J2"]].min() and skill.max() <= 1


def test_without_crowd_kit_the_package_is_named(simulated, monkeypatch):
    from capo_core.study.analysis import crowd_models

    monkeypatch.setattr(crowd_models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"crowd-kit is not installed.*pip install crowd-kit"):
        analyse(simulated, PEOPLE, AnalysisSettings(draws=20, crowd_models=("mace",)))
    with pytest.raises(ConfigError, match="one-coin, mace, glad"):
        AnalysisSettings(crowd_models=("majority",))


def test_logistic_is_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=300), np.ones(300)])
    y = (rng.random(300) < 1 / (1 + np.exp(-0.8 * x[:, 0]))).astype(float)
    found, influence = logistic(x, y)
    model = sm.Logit(y, x).fit(disp=0)
    np.testing.assert_allclose(found, model.params, atol=1e-6)
    robust = sm.Logit(y, x).fit(disp=0, cov_type="HC0")
    np.testing.assert_allclose((influence**2).sum(axis=0) ** 0.5, robust.bse, rtol=1e-6)


def test_length_that_sways_is_found_and_equal_length_is_said():
    rng = np.random.default_rng(3)
    rows = []
    for k in range(300):
        longer = rng.random() < 0.5
        rows.append({"trial_id": f"T{k}", "judge_id": f"J{k % 6}", "item_id": f"i{k % 50}",
                     "words_a": 20 if longer else 10, "words_b": 10 if longer else 20,
                     "answer": "a" if longer == (rng.random() < 0.75) else "b"})  # fmt: skip
    row = length_effect(judgments(*rows)).set_index("question").loc[LENGTH_QUESTION]
    # Log-odds 3 for twice as long against half as long is one doubling: 3 by doubling.
    assert row["low"] < 3 < row["high"] and row["low"] > 1
    same = [row | {"words_a": 9, "words_b": 9} for row in rows]
    assert length_effect(judgments(*same)).iloc[0]["note"] == "all texts are equally long"


def test_mixed_model_finds_the_difference_or_says_why_not(simulated):
    made = mixed_model(simulated)
    assert made.note == ""
    effects = made.effects.set_index("source")
    assert effects.loc["human", "low"] > effects.loc["sft", "share"]
    assert "fewer than 5" in mixed_model(judgments(*named(9, 3, 0))).note
    assert "no attributions" in mixed_model(judgments({})).note


def test_everything_is_there_and_is_json(analysis, simulated):
    told = json.loads(json.dumps(analysis.to_dict(), allow_nan=False))
    counted = sum(row[p] for row in told["counts"] for p in ("main", "check", "mirror", "practice"))
    assert counted == len(simulated)
    assert len(told["conduct"]) == 9 and told["conduct"][0]["n"] == len(simulated)
    assert {row["source"] for row in told["reasoning"]} == {"human", "sft"}
    strengths = {row["source"]: row for row in told["preference"]["strengths"]}
    assert strengths["human"]["low"] > strengths["sft"]["high"]
    assert told["quality"]["basis"] == "votes"


def test_bad_input_is_refused(simulated):
    with pytest.raises(DataError, match="no judgments"):
        analyse(simulated.iloc[:0], PEOPLE)
    with pytest.raises(DataError, match="2 studies"):
        analyse(simulated.assign(study_id=["a", *["b"] * (len(simulated) - 1)]), PEOPLE)
    with pytest.raises(DataError, match="had no card"):
        analyse(simulated, PEOPLE[:2])


def test_methods_say_numbers_hash_and_seeds(analysis):
    report = StudyReport(analysis, StudyFacts("ab" * 32, "2026-01-01", 17, 8, leaks=(("name", 2),)))
    words = methods_paragraph(report)
    for part in ("8 judges", "288 judgments", "abababababababab", "seed 17", "seed 0", "200 draws",
                 "1/3", "name: 2", "No judge and no judgment was excluded"):  # fmt: skip
        assert part in words
    titled = StudyReport(analysis, StudyFacts(title="CAPO & SFT", targets=PEOPLE[:1]))
    words = methods_paragraph(titled)
    assert words.startswith("In the study “CAPO & SFT”, 8 judges")
    assert titled.scope in words and f"for {PEOPLE[0]} alone" in titled.scope
    assert "CAPO \\& SFT" in to_latex(titled)
    assert to_markdown(titled).startswith("# Study CAPO & SFT")
    assert "Its name in commands and files" in to_markdown(titled)
    text = to_latex(report)
    assert "95 \\%" in text
    tables = re.findall(r"\\label\{tab:([a-z-]+)\}", text)
    assert "judgments" in tables and len(tables) == len(set(tables)) == len(
        sections(report.analysis)
    )
    for body in re.findall(r"\\toprule\n(.*?)\n\\bottomrule", text, re.S):
        assert len({line.count(" & ") for line in body.splitlines() if " & " in line}) <= 1
    json.dumps(report.to_dict(), allow_nan=False)


def test_tables_for_papers_have_the_headers_of_the_page_and_intervals_with_their_numbers(analysis):
    text = to_latex(StudyReport(analysis, StudyFacts()))
    heads = [table.split("\n", 1)[0] for table in text.split("\\toprule\n")[1:]]
    for raw in ("wilson", "p10", "krippendorff", "low", "source a", "\\_"):
        assert not [head for head in heads if raw in head.lower()], raw
    assert max(head.count(" & ") for head in heads) < 11
    assert re.search(r"The target's own texts & as wrong & .* & \d+ \\% \[\d+--\d+\] & ", text)
    assert "Attribution & Krippendorff's alpha & " in text and "?. " not in text


def test_methods_count_what_the_results_count_and_checks_apart():
    """Three judges on six main trials; a fourth answered but a check, on an item of its own."""
    rows = [
        {"judge_id": f"J{j}", "trial_id": f"T{k}", "item_id": f"i{k}", "answer": "ab"[(j + k) % 2]}
        for j in range(3)
        for k in range(6)
    ]
    apart = [
        {"judge_id": judge, "trial_id": "C1", "item_id": "i99", "purpose": "check", "truth": "a"}
        for judge in ("J0", "J9")
    ]
    apart += [{"judge_id": "J1", "trial_id": "M1", "item_id": "i0", "purpose": "mirror",
               "mirror_of": "T0"}]  # fmt: skip
    found = analyse(judgments(*rows, *apart), PEOPLE, AnalysisSettings(draws=20))
    words = methods_paragraph(StudyReport(found, StudyFacts()))
    assert "(18 judgments of 6 trials on 6 items)" in words and words.startswith("3 judges who")
    # Three judges of six texts: attentiveness is not estimated, and no paper must say so.
    assert (found.quality.judges["verdict"] != "").all() and "by EM" not in words
    assert "2 judgments of trials with a known answer and 1 judgment of mirrored repeats" in words
    assert found.sentences[0].startswith("Results count 18 judgments by 3 judges.")
    counts = found.counts.iloc[0]
    shown = found.wins.iloc[0]
    assert (counts["main"], counts["judges"], counts["items"]) == (18, 3, 6)
    assert (shown["n"], shown["judges"], shown["items"]) == (18, 3, 6)


def test_texts_from_data_cannot_break_the_report(simulated):
    evil = "x|<script>alert(1)</script>`_*[a](b)"
    frame = simulated.assign(judge_id=simulated["judge_id"].replace({"J01": evil}))
    text = to_markdown(
        StudyReport(analyse(frame, PEOPLE, AnalysisSettings(draws=50)), StudyFacts())
    )
    assert "<script>" not in text
    assert "x\\|\\<script\\>" in text
    for block in text.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.replace("\\|", "").count("|") for line in rows}) <= 1
    assert "nan" not in text.replace("Provenance", "")


@pytest.mark.parametrize(
    "change",
    [{"attentiveness": 1.2}, {"careless": 0.5, "skill": -0.1}, {"seconds": 0.0}],
)
def test_impossible_judges_are_refused(change):
    with pytest.raises(ConfigError):
        SimulatedJudges.drawn(4, SimulatedJudgesConfig(seed=0, **change))


def test_simulated_judges_do_what_they_were_made_to():
    draft = small_draft(judges=6, comparisons=60, others=30)
    same = {"seed": 3, "doubt": 0.0, "attentiveness": 1.0, "skill": 1.0}
    perfect = simulate_judgments(
        draft,
        SimulatedJudges.drawn(6, SimulatedJudgesConfig(**same)),
        1,
        SourceEffects({}, {"sft": 1.0}),
    )
    rows = perfect.judgments
    pairs = rows[rows["kind"] == "comparison"]
    assert (pairs["answer"].to_numpy() == perfect.better.loc[pairs["trial_id"]].to_numpy()).all()
    named_rows = rows[rows["kind"] == "attribution"]
    assert (named_rows["answer"] == named_rows["truth"]).all()
    assert (perfect.better.loc[["M000", "M001"]].to_numpy()
            == perfect.better.loc[["C000", "C001"]].to_numpy()).all()  # fmt: skip
    asleep = SimulatedJudges.drawn(
        6, SimulatedJudgesConfig(seed=3, attentiveness=0.0, left=1.0, doubt=0.0)
    )
    clicks = simulate_judgments(draft, asleep, 1).judgments
    assert set(clicks[clicks["kind"] == "comparison"]["side"]) == {"left"}
    doubting = SimulatedJudges.drawn(6, SimulatedJudgesConfig(seed=3, doubt=1.0))
    unsure = simulate_judgments(draft, doubting, 1).judgments
    assert set(unsure[unsure["kind"] != "reasoning"]["answer"]) == {"tie", "cannot_tell"}
    pd.testing.assert_frame_equal(simulate_judgments(draft, doubting, 1).judgments, unsure)
    assert not simulate_judgments(draft, asleep, 2).judgments["answer"].equals(clicks["answer"])
    with pytest.raises(ConfigError, match="design of 6"):
        simulate_judgments(draft, SimulatedJudges.drawn(5, SimulatedJudgesConfig(seed=1)), 1)
