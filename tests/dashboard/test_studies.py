"""What the page Studies computes without Streamlit: form, sources, planning, words, waiting."""

from __future__ import annotations

import math
import threading

import pytest
from helpers.judgments import PEOPLE, judgments
from helpers.pages import make

from capo_core.dashboard.studies import compute, pair, study_form
from capo_core.dashboard.studies import data as studies_data
from capo_core.dashboard.studies.background import Work
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, StudyError
from capo_core.runs.run import Run
from capo_core.runs.status import Status
from capo_core.runs.summary import RunSummary as SeenRun
from capo_core.stats.clustered import MIN_CLUSTERS
from capo_core.study.analysis.analysis import AnalysisSettings, analyse
from capo_core.study.analysis.findings import finding_sentences, study_findings
from capo_core.study.config import StudyConfig
from capo_core.study.design import draft as design_draft
from capo_core.study.design.draft import draw_from
from capo_core.workspace import Workspace, write_json


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def dataset():
    return make("mine", items=120)


def config(**changes) -> StudyConfig:
    settings = {
        "name": "s", "dataset": "mine", "kinds": ("attribution", "comparison"),
        "sources": {"human": "human", "other_human": "other_human"}, "judges": 2,
        "trials_per_judge": 3, "judgments_per_trial": 1, "practice": 1, "card_examples": 2,
    }  # fmt: skip
    return StudyConfig(**{**settings, **changes})


# The form


def run(name: str, method: str, base: str = "embedded", state: str = "succeeded",
        dataset: str = "mine", kind: str = "generate") -> SeenRun:  # fmt: skip
    settings = {"base": base, "dataset": dataset}
    return SeenRun(Run.__new__(Run), Status(state=state), kind, method, ("ann",), dataset, settings)


def named(*seen: tuple[str, SeenRun]) -> dict[str, SeenRun]:
    return dict(seen)


def test_a_form_becomes_a_design_and_a_design_a_form_again(workspace, dataset):
    Catalog(workspace).add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "first")
    made = study_form.config_of(form, {"sft": ["r1", "r2"]})
    assert made.sources == {"human": "human", "other_human": "other_human", "sft": ("r1", "r2")}
    again = study_form.from_config(made, "second")
    assert again["runs"] == ["r1", "r2"] and again["people"] == ["human", "other_human"]
    same = study_form.config_of(again, {"sft": ["r1", "r2"]})
    assert same == made.with_changes(name="second")


@pytest.mark.parametrize(
    ("changes", "sources"),
    [({"people": []}, {}), ({"people": "human"}, {}), ({"people": ["somebody"]}, {}),
     ({"judges": "many"}, {}), ({"speed": 3}, {}), ({"kinds": None}, {})],
)  # fmt: skip
def test_a_form_with_nonsense_is_refused_in_words(workspace, dataset, changes, sources):
    Catalog(workspace).add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "first")
    with pytest.raises(ConfigError):
        study_form.config_of({**form, **changes}, sources)


def test_two_tabs_change_different_values_and_both_stay(workspace, dataset):
    Catalog(workspace).add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "first")
    study_form.put(workspace, form, "judges", 9)  # the other tab still holds `form`
    study_form.put(workspace, form, "pool", 4)
    kept = study_form.load(workspace, "mine")
    assert (kept["judges"], kept["pool"]) == (9, 4)
    assert study_form.load(workspace, "other") is None


def test_names_are_free():
    assert study_form.free_name("d", ["d-study-1", "d-study-2"]) == "d-study-3"
    assert len(study_form.free_name("x" * 80, [])) <= 80


def test_runs_of_one_method_and_base_are_one_source():
    found = named(
        ("r1", run("r1", "sft")), ("r2", run("r2", "sft")), ("r3", run("r3", "sft", base="big")),
        ("r4", run("r4", "capo")),
    )  # fmt: skip
    made = study_form.sources_of(["r1", "r3", "r4", "r2", "gone"], found)
    assert made == {"sft": ["r1", "r2"], "sft-2": ["r3"], "capo": ["r4"], "gone": ["gone"]}


def test_only_finished_answers_of_the_dataset_can_be_sources(workspace):
    made = [
        SeenRun(Run(workspace.runs / name), Status(state=state), kind, "sft", ("ann",), data, {})
        for name, state, kind, data in (
            ("good", "succeeded", "generate", "mine"), ("at-work", "running", "generate", "mine"),
            ("training", "succeeded", "train_sft", "mine"),
            ("elsewhere", "succeeded", "generate", "other"),
        )
    ]  # fmt: skip
    assert list(study_form.usable(made, "mine")) == ["good"]


def test_only_numbers_are_assumed():
    form = {"expected": None, "other": 0.4, "judge_sd": True, "trial_sd": "much"}
    assert study_form.assumed_of(form) == {"other": 0.4}


# One pair of sources


def test_a_pair_sets_sources_targets_and_a_name(workspace, dataset):
    Catalog(workspace).add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "mine-study-1")
    study_form.keep(workspace, form)
    found = {"c1": run("c1", "capo"), "s1": run("s1", "sft"), "i1": run("i1", "icl")}
    people = dataset.annotators

    def now() -> study_form.StudyForm:
        return study_form.StudyForm(workspace, study_form.load(workspace, "mine"))

    offered = study_form.sources_of(list(found), found)
    assert pair.usual_pair(offered) == ("capo", "sft")
    assert pair.usual_pair({}) == ("human", "other_human")
    pair.choose_pair(now(), found, people, ("capo", "sft"))
    values = now().values
    assert (values["people"], values["runs"]) == ([], ["c1", "s1"])
    assert values["name"] == "CAPO against SFT" and values["reference"] == ""
    config = study_form.config_of(
        {**values, "name": "x"}, study_form.sources_of(values["runs"], found)
    )
    assert config.sources == {"capo": ("c1",), "sft": ("s1",)}
    # The name follows another pair, until the owner types one.
    pair.choose_pair(now(), found, people, ("human", "sft"))
    assert now().values["name"] == "The target's own texts against SFT"
    assert (now().values["people"], now().values["runs"]) == (["human"], ["s1"])
    now().put(name="My own")
    pair.choose_pair(now(), found, people, ("capo", "icl"))
    assert now().values["name"] == "My own"
    # Several sources again: what was chosen stays; a source that is gone ends the pair.
    assert pair.pair_of(now(), {"capo": [], "sft": []}) == ()
    pair.choose_pair(now(), found, people, ())
    assert now().values["runs"] == ["c1", "i1"] and now().values["pair"] == []
    assert now().values["people"] == ["human", "other_human"]  # as before the pair
    assert now().values["name"] == "My own"


def test_a_pair_that_is_ended_leaves_what_was_chosen_before_it(workspace, dataset):
    Catalog(workspace).add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "mine-study-1")
    study_form.keep(workspace, {**form, "people": ["other_human"]})
    found = {"c1": run("c1", "capo"), "s1": run("s1", "sft")}

    def choose(*chosen: str) -> dict:
        now = study_form.StudyForm(workspace, study_form.load(workspace, "mine"))
        pair.choose_pair(now, found, dataset.annotators, chosen)
        return study_form.load(workspace, "mine")

    choose("capo", "sft")
    choose("capo", "human")  # another pair is no other beginning
    values = choose()
    assert values["people"] == ["human", "other_human"]
    assert values["name"] == "mine-study-1"  # the pair's name would be wrong
    named = study_form.sources_of(values["runs"], found)
    assert set(study_form.config_of(values, named).sources) == {"human", "other_human", "capo"}


def test_a_pair_is_proposed_where_many_sources_do_not_fit(workspace, dataset):
    Catalog(workspace).add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "mine-study-1")
    found = {"c1": run("c1", "capo"), "s1": run("s1", "sft")}
    every = study_form.StudyForm(workspace, {**form, "runs": ["c1", "s1"]})
    change = pair.pair_change(every, found, dataset.annotators)
    assert change.words == "One pair alone: CAPO against SFT"
    assert change.settings["runs"] == ["c1", "s1"] and change.settings["people"] == []
    one = study_form.StudyForm(workspace, {**form, "runs": ["s1"]})
    assert pair.pair_change(one, found, dataset.annotators) is None
    chosen = study_form.StudyForm(workspace, {**every.values, "pair": ["capo", "sft"]})
    assert pair.pair_change(chosen, found, dataset.annotators) is None


# Planning


def test_a_preview_says_what_the_draft_has_and_writes_nothing(workspace, dataset):
    found = compute.preview(workspace, dataset, config())
    trials = found.draft.sealed.query("purpose == 'main'")["trial_id"].nunique()
    assert found.balance.trials == trials and found.minutes[0] <= found.minutes[1]
    assert list(workspace.root.iterdir()) == []
    plans = compute.planned(found, 3, {"other": 0.4})
    assert [plan.numbers.kind for plan in plans] == ["attribution", "comparison"]
    assert plans[0].numbers.chance == pytest.approx(1 / 3)
    needed = compute.judges_needed(workspace, dataset, found.config, plans)
    assert [each.plan for each in needed.enough] == list(plans)
    own = needed.curve[needed.curve["judges"] == 2]
    assert len(own) == 2  # the design's own number is on both curves
    few = needed.curve["judges"] < MIN_CLUSTERS
    assert few.any() and needed.curve["width"][~few].between(0, 1).all()
    assert needed.curve["width"][few].isna().all() and (needed.curve["between"][few] == 0).all()


def test_numbers_that_do_not_fit_are_refused_before_anything_is_read(workspace, dataset):
    with pytest.raises(ConfigError, match="multiple of 3"):
        compute.preview(workspace, dataset, config(judges=4, trials_per_judge=4,
                                                          judgments_per_trial=3))  # fmt: skip


def test_judges_on_the_curve_come_out_even():
    found = compute.judges_for(config(judges=6, trials_per_judge=2, judgments_per_trial=3))
    assert 6 in found and all(count % 3 == 0 for count in found)
    assert len(found) <= compute.CURVE_POINTS + 1


def test_leaving_out_more_keeps_what_was_left_out():
    first = compute.wider(config(leave_out=("name",)), ("length", "name"))
    assert first.leave_out == ("name", "length")


# A trial as judges see it, and judges made up


def test_the_example_is_what_the_desk_would_show(workspace, dataset):
    draft = draw_from(workspace, dataset, config(kinds=("attribution", "comparison", "reasoning")))
    rows = draft.assignments[draft.assignments["judge_slot"] == "J01"].sort_values("position")
    texts = draft.texts.set_index("text_id")
    kinds = set()
    for place, row in enumerate(rows.itertuples(), start=1):
        view = compute.example(draft, "J01", place)
        kinds.add(view.kind)
        assert view.trial_id == row.trial_id
        shown = [text.explanation for text in view.texts]
        ids = draft_ids(draft, row.trial_id)
        if view.kind == "comparison":
            order = compute.from_cell(row.order)["slots"]
            assert shown == [texts.at[ids[slot], "explanation"] for slot in order]
            assert [card.letter for card in view.cards] == [""]
        elif view.kind == "attribution":
            assert [card.letter for card in view.cards] == ["A", "B", "C"]
        else:
            assert view.reference.explanation == texts.at[ids[1], "explanation"]
    assert kinds == {"attribution", "comparison", "reasoning"}
    assert compute.example(draft, "J01", 10_000).trial_id == rows["trial_id"].iloc[-1]


def draft_ids(draft, trial_id: str) -> list[str]:
    cell = draft.trials.set_index("trial_id").at[trial_id, "text_ids"]
    return compute.from_cell(cell)


def test_made_up_judges_who_know_find_what_is_there_and_guessers_do_not(workspace, dataset):
    draft = draw_from(workspace, dataset, config(judges=4, trials_per_judge=6))
    knowing = compute.Trying(
        compute.SimulatedJudgesConfig(attentiveness=1.0, skill=1.0, doubt=0.0),
        likeness=(("human", 1.0),),
    )
    guessing = compute.Trying(
        compute.SimulatedJudgesConfig(attentiveness=0.0, skill=0.0, doubt=0.0)
    )
    right = [compute.tried(workspace, draft, each).analysis.accuracy["value"].iloc[0]
             for each in (knowing, guessing)]  # fmt: skip
    assert right[0] == 1.0 and right[1] < 0.7
    told = compute.tried(workspace, draft, knowing).results
    assert told[0].startswith("Judges attributed texts correctly for the target's own texts in 100")
    assert "chance 33" in told[0]


# Beliefs, and results in words


def test_beliefs_are_read_and_refused():
    (first, second) = compute.priors("human:sft=0.8, human : capo=0.6/40")
    assert (first.stronger, first.weaker, first.mu, first.strength) == ("human", "sft", 0.8, 0)
    assert (second.weaker, second.strength) == ("capo", 40)
    assert compute.priors(" , ") == ()
    for wrong in ("human:sft", "human:sft=much", "human:sft=1.5"):
        with pytest.raises(ConfigError):
            compute.priors(wrong)


def test_a_verdict_is_a_number_with_its_interval_or_words():
    class Row:
        verdict, why, attentiveness, low, high = "", "", 0.81, 0.6, 0.95

    assert compute.verdict(Row) == "0.81 [0.60, 0.95]"
    Row.verdict, Row.why, Row.attentiveness = "too few to say", "3 of the 10 votes", math.nan
    assert compute.verdict(Row) == "too few to say (3 of the 10 votes)"


def compared(*votes: tuple[str, str, str]):
    """The analysis of comparisons: (first source, second source, answers of one judge each)."""
    rows = [
        {"judge_id": f"J{k}", "trial_id": f"{a}{b}{k}", "item_id": f"{a}{b}{k}", "source_a": a,
         "source_b": b, "answer": answer}
        for a, b, answers in votes
        for k, answer in enumerate(answers)
    ]  # fmt: skip
    return analyse(judgments(*rows), PEOPLE, AnalysisSettings(draws=20))


def said(found) -> list[str]:
    return finding_sentences(study_findings(found))


def test_few_pairs_have_a_sentence_each_and_many_have_one_together():
    few = said(compared(("human", "sft", "aab")))
    assert len(few) == 2 and few[0].startswith("No significant preference between")
    assert "of 3 judgments; 50" in few[0] and "no equivalence margin" in few[1]
    many = [("human", "sft", "aab"), ("capo", "human", "aab"), ("capo", "sft", "abb")]
    assert said(compared(*many))[0] == (
        "In none of 3 pairs of sources was one significantly preferred."
    )
    told = said(compared(*many[:2], ("capo", "sft", "a" * 30)))[0]
    assert told.startswith("In 1 of 3 pairs of sources one was significantly preferred: CAPO was")


def test_where_no_clustered_interval_exists_the_one_of_independent_judgments_is_shown():
    rows = compared(("human", "sft", "ab")).wins
    assert rows["low"].isna().all() and rows["wilson_low"].notna().all()
    shown = compute.in_words(rows, "source_a", "source_b").iloc[0]
    assert (shown["low"], shown["high"]) == tuple(rows[["wilson_low", "wilson_high"]].iloc[0])
    assert "too few" in shown["note"] and "judgments as independent" in shown["note"]
    ties = compute.in_words(compared(("human", "sft", ["a", "tie"])).wins).iloc[0]
    assert math.isnan(ties["low"]) and "independent" not in ties["note"]


# Studies as they stand


def test_studies_are_seen_with_what_is_wrong_with_them(workspace):
    good = config().to_dict()
    for name, written in (("good", {"config": good}), ("empty", {}), ("odd", {"config": {}})):
        write_json(workspace.studies / name / design_draft.DESIGN, written)
    (workspace.studies / "text").mkdir()
    (workspace.studies / "text" / design_draft.DESIGN).write_text("{")
    found = {seen.name: seen for seen in studies_data.every(workspace, None)}
    assert {name: seen.stage for name, seen in found.items()} == {
        "good": "draft", "empty": "broken", "odd": "broken", "text": "broken"
    }  # fmt: skip
    assert all(found[name].problem is not None for name in ("empty", "odd", "text"))
    assert found["text"].standing  # said in the list too


# What is computed beside the page


def test_a_slow_result_is_asked_for_until_it_is_there():
    work, may_end, made = Work(), threading.Event(), []

    def make():
        may_end.wait(240)
        made.append(1)
        return "done"

    assert work.ask("key", make, patience_s=0) is None
    assert work.ask("key", make, patience_s=0) is None
    may_end.set()
    assert work.ask("key", make, patience_s=240) == "done"
    assert work.ask("key", make, patience_s=0) == "done" and made == [1]


def test_a_refusal_belongs_to_its_key_and_a_failure_is_tried_again():
    work, made = Work(), []

    def refuse():
        made.append("refuse")
        raise ConfigError("never")

    def fail():
        made.append("fail")
        raise StudyError("not now")

    for _ in range(2):
        with pytest.raises(ConfigError):
            work.ask("a", refuse, patience_s=240)
        with pytest.raises(StudyError):
            work.ask("b", fail, patience_s=240)
    assert made == ["refuse", "fail", "fail"]


def test_only_the_last_results_are_kept():
    work, made = Work(kept=2), []
    for key in ("a", "b", "c", "a"):
        work.ask(key, lambda key=key: made.append(key) or key, patience_s=240)
    assert made == ["a", "b", "c", "a"]


def test_an_obstacle_is_said_in_the_words_of_the_form():
    from capo_core.dashboard.studies.new_study import in_form_words
    from capo_core.errors import ConfigError
    from capo_core.study.config import StudyConfig

    with pytest.raises(ConfigError) as found:
        StudyConfig("s", "d", judges=0)
    assert in_form_words(found.value) == (
        "Judges: 0 cannot be used, expected a whole number from 1 to 1,000"
    )
    plain = ConfigError("the items do not suffice", where="judges")  # a study of this name
    assert in_form_words(plain) == "the items do not suffice"


def test_the_progress_of_a_study_fits_a_cell():
    from types import SimpleNamespace

    from capo_core.dashboard.studies.data import FROZEN, UNBLINDED, Seen

    judge = SimpleNamespace(judge_id="simulated-s-J01")
    done = SimpleNamespace(filled=1168, places=1168, judges=[judge])
    assert Seen("s", UNBLINDED, status=done).progress == "1,168 of 1,168 judgments (simulated)"
    assert Seen("s", FROZEN, status=done).progress == "no judges invited yet"
