"""A kind of trial that is added to the registry appears everywhere a study is made or read."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.study_designs import design, put, simulated
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.dashboard.judging import text, trial_html
from capo_core.dashboard.studies import compute
from capo_core.errors import ConfigError, DataError
from capo_core.settings import setting_field
from capo_core.study.analysis.analysis import AnalysisSettings, analyse
from capo_core.study.analysis.report import StudyFacts, StudyReport, to_markdown
from capo_core.study.config import StudyConfig
from capo_core.study.design import balance_report, planner
from capo_core.study.design.draft import create, draw, load
from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.judging.judge import Terms
from capo_core.study.owner.service import StudyService
from capo_core.study.simulated_judges import (
    SimulatedJudges,
    SimulatedJudgesConfig,
    simulate_judgments,
)
from capo_core.study.store import open_judge_store, open_store
from capo_core.study.tables import HUMAN
from capo_core.study.trial_kinds import TRIAL_KINDS, check_kinds, trial_kind
from capo_core.study.trial_kinds.base import DraftTrial, PlacedText, ReportSection, TrialKind


class Fluency(TrialKind):
    """Is the text fluent, yes or no?"""

    name = "fluency"
    title = "Is it fluent?"
    description = "one text of a hidden source: fluent or not"
    task = "rated whether a text is fluent"
    instructions = "**Is it fluent?** Say yes or no."
    practice_note = "People's texts count as fluent."
    source_hint = "any source"
    outcome = "fluent texts of one source"
    labels = ("no", "yes")

    def sources(self, names):
        return tuple(names)

    def make_check(self, config, texts, purpose, target, free, rng, used):
        for item in free:
            for found in texts.texts.get((HUMAN, target, item), ()):
                used.add(item)
                shown = (PlacedText(item, HUMAN, found),)
                return DraftTrial(self.name, purpose, target, shown, truth="yes")
        return None

    def main_trial(self, target, shown, rng):
        return DraftTrial(self.name, "main", target, tuple(shown))

    def question(self, texts):
        return "Is it fluent?"

    def answers(self, card_ids):
        return self.labels

    def simulate(self, trials, rng):
        return np.where(rng.random(len(trials.table)) < 0.7, "yes", "no").astype(object), {}

    def main_judgments(self, judgments):
        return judgments[(judgments["kind"] == self.name) & (judgments["purpose"] == "main")]

    def analyse(self, judgments, annotators, settings):
        rows = self.main_judgments(judgments)
        shares = (rows["answer"] == "yes").groupby(rows["source"]).agg(["mean", "size"])
        return {"fluency": shares.reset_index().rename(columns={"mean": "yes", "size": "n"})}

    def sections(self, results, annotators):
        return [ReportSection("Fluent texts", results["fluency"], "Share of yes.")]


@pytest.fixture
def fluency(monkeypatch):
    monkeypatch.setitem(TRIAL_KINDS, "fluency", Fluency())
    monkeypatch.setitem(
        trial_html.DISPLAYS,
        "fluency",
        trial_html.TrialDisplay(("To read",), answer_names={"yes": "Fluent", "no": "Not fluent"}),
    )


@pytest.fixture
def draft(fluency, workspace):
    world = put(workspace, simulated())
    sources = {"human": "human", "other_human": "other_human"}
    config = design(world, kinds=("fluency", "attribution"), sources=sources)
    create(workspace, draw(workspace, config))
    return load(workspace, config.name)


def test_it_is_a_choice_of_the_configuration(fluency):
    assert "fluency" in setting_field(StudyConfig, "kinds").choices
    assert StudyConfig(name="s", dataset="d", kinds=["fluency"]).sources_of("fluency") == ("human",)


def test_without_it_there_is_no_such_kind():
    with pytest.raises(ConfigError, match="fluency"):
        StudyConfig(name="s", dataset="d", kinds=["fluency"])
    with pytest.raises(DataError, match="no kind of trial 'fluency'"):
        trial_kind("fluency")
    with pytest.raises(DataError, match="table trials"):
        check_kinds(["attribution", "fluency"], where="table trials")


def test_the_command_line_takes_it(fluency, workspace, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    world = put(workspace, simulated())
    words = (
        "study", "create", "fluent", "--dataset", world.name, "--kind", "fluency", "--judges", "4",
        "--trials-per-judge", "6", "--judgments-per-trial", "2", "--json",
    )  # fmt: skip
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["balance"]["per_source"]["fluency"] == {"least": 6, "most": 6}


def test_a_study_is_drawn_balanced_and_planned_with_it(draft):
    report = balance_report.count_balance(draft)
    assert report.per_source["fluency"].equal and report.items_twice == 0
    assert set(draft.trials["kind"]) == {"fluency", "attribution"}
    practice = draft.feedback["note"].tolist()
    assert practice.count("People's texts count as fluent.") == 2
    plans = planner.plans(draft.config, 3, draft, simulations=20)
    assert "fluent texts of one source" in plans[0].sentences[0]
    assert plans[0].against_chance is None


def test_a_judge_gets_it_and_answers(draft, workspace):
    service = StudyService(open_store(workspace))
    frames = {
        name: getattr(draft, name)
        for name in ("trials", "texts", "cards", "assignments", "feedback", "sealed")
    }
    service.load("fluent", frames, "hash", Terms())
    engine = open_judge_store(workspace)
    desk = JudgeDesk(engine, service.invite("fluent")[0].token)
    desk.open()
    desk.consent()
    seen = {}
    for _ in range(2 * draft.config.practice + 3):
        view = desk.next_trial()
        seen[view.kind] = view
        desk.answer(view.trial_id, view.answers[0])
    view = seen["fluency"]
    assert view.answers == ("no", "yes") and view.reference is None and view.cards == ()
    assert text.question(view) == "Is it fluent?"
    assert [text.answer_name(view, each) for each in view.answers] == ["Not fluent", "Fluent"]
    assert "To read" in trial_html.texts_html(view, Terms())
    service.engine.dispose()
    engine.dispose()


def test_judgments_are_simulated_analysed_and_reported(draft):
    judges = SimulatedJudges.drawn(6, SimulatedJudgesConfig(seed=1))
    judgments = simulate_judgments(draft, judges, 3).judgments
    found = analyse(judgments, sorted(draft.cards["annotator_id"]), AnalysisSettings(draws=20))
    main = judgments[(judgments["kind"] == "fluency") & (judgments["purpose"] == "main")]
    assert found.fluency["n"].sum() == len(main) > 0
    assert 0.5 < (found.fluency["yes"] * found.fluency["n"]).sum() / len(main) < 0.9
    plain = found.to_dict()
    assert [row["source"] for row in plain["fluency"]] == ["human", "other_human"]
    assert "fluency" in [row["kind"] for row in plain["agreement"]]
    report = to_markdown(StudyReport(found, StudyFacts()))
    assert "## Fluent texts\n\nShare of yes.\n\n| source |" in report
    assert "rated whether a text is fluent" in report
    assert "Fluent texts" in dict(compute.sections(found))


def test_names_of_results_are_their_own(draft):
    judgments = simulate_judgments(
        draft, SimulatedJudges.drawn(6, SimulatedJudgesConfig(seed=1)), 3
    ).judgments
    found = analyse(judgments, sorted(draft.cards["annotator_id"]), AnalysisSettings(draws=20))
    names = [name for results in found.results.values() for name in results]
    assert len(names) == len(set(names))
    assert not set(names) & set(vars(found))
    with pytest.raises(AttributeError, match="no attribute 'loudness'"):
        _ = found.loudness
    other = replace(found, study_id="other")
    pd.testing.assert_frame_equal(other.accuracy, found.results["attribution"]["accuracy"])
