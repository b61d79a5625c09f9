"""The page Compare: empty, unscored, scored, broken; state in the address; from cell to answers."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape

import pandas as pd
import pytest
from helpers.comparisons import (
    experiment,
    run,
    speaker,
    the_next,
    the_target,
    world,
)
from helpers.links import keys_of, says_it_is_not_here
from helpers.pages import open_page, shown
from helpers.retention_reports import retention

from capo_core.dashboard.compare import scores
from capo_core.dashboard.ui.text import markdown
from capo_core.data.catalog import Catalog
from capo_core.evaluation import report as reports
from capo_core.evaluation.summary import brief, titled
from capo_core.progress import silent
from capo_core.runs import comparisons, kinds, queue
from capo_core.runs.experiments import store
from capo_core.runs.status import Status
from capo_core.workspace import Workspace

HELD_OUT = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace with an experiment that is over: zero_shot writes as another, capo as the target;
    of icl's answers one of twelve cannot be read."""
    workspace, dataset = Workspace(tmp_path_factory.mktemp("made")), world(held_out=HELD_OUT)
    Catalog(workspace).add(dataset)
    own = speaker(dataset, the_target)
    answers = {
        "zero_shot": speaker(dataset, the_next(dataset), right=0.25),
        "icl": lambda target, item: "<b>no</b> form" if item.endswith("0") else own(target, item),
        "capo": own,
    }
    assert sum(item.endswith("0") for item in dataset.items["item_id"][-HELD_OUT:]) == 1
    return workspace, experiment(workspace, dataset, answers), dataset


@pytest.fixture
def scored(made, workspace):
    """A copy of that workspace, to be spoilt."""
    shutil.copytree(made[0].root, workspace.root, dirs_exist_ok=True)
    return made[1]


@pytest.fixture
def begun(monkeypatch):
    """Runs that a page would begin, noted instead of begun."""
    names = set()  # one that is not really begun is asked for at every look
    monkeypatch.setattr(queue, "_start", lambda job, *_: names.add(job.run_id))
    return names


def test_without_answers_the_demo_is_one_click_away(workspace, begun):
    app = open_page("compare", dataset="demo-nli")
    assert not app.exception
    assert "nothing to compare" in shown(app)
    assert not begun
    app.button(key="compare.demo").click().run()
    assert not app.exception and len(begun) == 1
    (working,) = comparisons.active_experiments(workspace, Catalog(workspace).entries()[0])
    assert working.config.title == "Demo, one annotator"


def test_of_my_own_data_it_leads_to_the_experiment(add):
    add(world())
    app = open_page("compare", dataset="mine")
    assert not app.exception and "nothing to compare" in shown(app)
    assert all(button.key != "compare.demo" for button in app.button)


def test_unscored_answers_can_be_read_and_scored(workspace, add, begun):
    dataset = world()
    add(dataset)
    run(workspace, dataset, "mine-answers", "icl", speaker(dataset, the_target))
    app = open_page("compare", dataset="mine")
    said = shown(app)
    assert not app.exception and "not been evaluated yet" in said
    assert "imitating <b>ann</b>" in said
    app.button(key="compare.score").click().run()
    assert not app.exception and len(begun) == 1
    assert "appear here when ready" in shown(app)


def test_where_imitation_was_not_measured_the_first_sentence_stands_above(workspace, add):
    dataset = world()
    add(dataset)
    answers = {"capo": speaker(dataset, the_target)}
    experiment(workspace, dataset, answers, families=("labels",))
    app = open_page("compare", dataset="mine")
    said = shown(app)
    assert not app.exception
    assert said.count("CAPO gives the target") == 1
    # Of one annotator alone, too.
    app = open_page("compare", dataset="mine", target="ann")
    assert not app.exception


def test_what_is_missing_stands_above_the_scores(workspace, add):
    dataset = world()
    add(dataset)
    answers = {name: speaker(dataset, the_target) for name in ("icl", "capo")}
    made = experiment(workspace, dataset, answers, scored=False, families=("labels",))
    icl = next(each for each in made.runs() if "answers-icl" in each.run_id)
    evaluation = made.evaluation
    (icl.folder / "result.json").unlink()
    icl.write(Status(state="failed", message="the milk is *sour*"))
    kinds.execute(evaluation.request, workspace, evaluation.files, silent)
    evaluation.write(Status(state="succeeded", share=1.0))
    app = open_page("compare", dataset="mine")
    assert not app.exception
    (warning,) = app.warning
    said = "In-context learning (Generation for ann, bob, cyd failed: the milk is *sour*)"
    assert markdown(said) in warning.value and "\\*sour" in warning.value  # text, not Markdown


def test_the_sentence_is_made_from_the_numbers(scored):
    app = open_page("compare", dataset="mine")
    said = shown(app)
    assert not app.exception
    # In-context learning copies the target but for one answer of twelve, which cannot be read.
    assert "It is undecided which of 3 methods comes nearest to its targets" in said
    assert "Significantly further away than CAPO: Zero-shot" in said
    assert "In-context learning, readable answers: 33 of 36" in said
    assert "Underline words not in the target's explanation" in [one.label for one in app.toggle]


def test_fine_tune_and_overview_say_what_the_comparison_says(scored, workspace):
    """Finding 1: the headline of Fine-tune had another baseline than the page Compare."""
    said = titled(brief(reports.load(workspace.runs / scored.evaluation.run_id / "report.json")))
    shares = re.findall(r"\d+\u00a0%|\d+ of \d+", said)
    assert "It is undecided which of 3 methods" in said and shares

    def read(page):
        text = re.sub(r"<[^>]*>|\\", "", shown(open_page(page, dataset="mine")))
        return unescape(text).replace("\u00a0", " ")

    whole = read("compare")
    assert all(share.replace("\u00a0", " ") in whole for share in shares)
    for page in ("finetune", "overview"):
        assert said.replace("\u00a0", " ") in read(page), page


@pytest.mark.parametrize(
    "query",
    [
        *({"part": part} for part in ("habits", "confusion", "tests", "numbers")),
        *({"part": part, "target": "bob"} for part in ("habits", "confusion", "tests", "numbers")),
        *({"family": family} for family in ("attribution", "labels", "style")),
    ],
    ids=lambda query: " ".join(query.values()),
)
def test_every_part_opens(scored, query):
    app = open_page("compare", dataset="mine", **query)
    assert not app.exception and not app.error


def test_all_numbers_have_the_titles_of_measures_and_one_classifier(scored, monkeypatch):
    saved = {}

    def download(frame, *, key, file_name):
        saved[key] = frame

    monkeypatch.setattr(scores, "download_table", download)
    app = open_page("compare", dataset="mine", part="numbers")
    said = unescape(shown(app))
    assert not app.exception
    for name, table in zip(("numbers", "distances", "differences"), app.dataframe[2:], strict=True):
        titles = set(table.value["title"])
        assert "Attributed to target → human" in titles and not any("(" in each for each in titles)
        rows = saved[f"compare.{name}.csv"]
        views = set(rows["measure"][rows["measure"].str.startswith("attribution (")])
        if len(views) > 1:
            assert len(table.value) < len(rows)
            assert f"their files have all {len(views)} classifiers" in said


def test_a_reason_stands_below_the_scores_once_with_its_measures():
    rows = pd.DataFrame(
        {
            "measure": ["ROUGE-L", "label accuracy", "length ratio", "ROUGE-L", "kappa"],
            "note": ["no second text", "", "no second text", "no second text", "one label alone"],
        }
    )
    assert scores._notes(rows) == [
        "ROUGE-L and Length ratio: no second text.",
        "Kappa: one label alone.",
    ]


def test_what_was_forgotten_is_asked_for_and_shown(workspace, add, begun):
    dataset = world()
    entry = add(dataset)
    made = experiment(workspace, dataset, {"capo": speaker(dataset, the_target)}, scored=False)
    app = open_page("compare", dataset="mine", part="retention", target="ann")
    assert not app.exception and "has not been measured yet" in shown(app)
    app.button(key="compare.retention").click().run()
    assert not app.exception and any("retention" in name for name in begun)
    capo = next(one.run_id for one in made.members if one.kind == "train_capo")
    retention(workspace, entry, capo, "ann")
    app = open_page("compare", dataset="mine", part="retention", target="ann")
    assert not app.exception and "Much is learnt, and something forgotten." in shown(app)
    assert "20 validation items" in shown(app)


def test_next_previous_and_the_address(scored):
    app = open_page("compare", dataset="mine", target="bob", order="worst", method="zero_shot")
    assert f"1 of {HELD_OUT} cases" in shown(app)
    app.button(key="compare.items.Next").click().run()
    assert f"2 of {HELD_OUT} cases" in shown(app)
    item = app.query_params["item"]
    item = item[0] if isinstance(item, list) else item
    # The address alone brings the same view back, in a session that knows nothing.
    again = open_page(
        "compare", dataset="mine", target="bob", order="worst", method="zero_shot", item=item,
        **{"as": "bob"},
    )  # fmt: skip
    assert f"2 of {HELD_OUT} cases: item <b>{item}</b>" in shown(again)
    again.button(key="compare.items.Previous").click().run()
    assert f"1 of {HELD_OUT} cases" in shown(again)


def test_filters_leave_what_passes(scored):
    app = open_page("compare", dataset="mine", method="icl", outcome="unread")
    said = shown(app)
    assert "1 of 3 cases" in said and "Unreadable" in said
    assert "&lt;b&gt;no&lt;/b&gt; form" in said and "<b>no</b> form" not in said
    app = open_page("compare", dataset="mine", method="capo", outcome="wrong")
    assert "No answers match the filters" in shown(app)
    app.button(key="compare.clear").click().run()
    assert "1 of 36 cases" in shown(app)


def test_whom_texts_are_given_to_is_a_filter(scored):
    app = open_page("compare", dataset="mine", method="zero_shot", given="bob")
    # Only ann's place is filled with bob's words.
    assert f"1 of {HELD_OUT} cases" in shown(app) and "attributed to bob" in shown(app).lower()
    app.button(key="compare.given.off").click().run()
    assert "1 of 36 cases" in shown(app)


def test_unknown_settings_in_the_address_have_their_defaults(scored):
    app = open_page(
        "compare", dataset="mine", part="x", rep="9", order="x", outcome="x", family="x", seen="x"
    )
    assert not app.exception and not app.error
    assert "1 of 36 cases" in shown(app)


def test_runs_to_choose_from_are_a_table(scored):
    choice = open_page("compare", dataset="mine").dataframe[0].value
    assert list(choice.columns) == ["method", "annotator", "model", "seed", "ended"]  # one split
    made = [one for one in scored.members if one.kind == "generate"]
    assert len(choice) == len(made) and set(choice["seed"]) == {0}


def test_runs_can_be_put_together_by_the_address(workspace, scored, begun):
    names = [one.run_id for one in scored.members if one.kind == "generate"][:2]
    app = open_page("compare", dataset="mine", of="chosen", runs=",".join(names))
    assert not app.exception and "These 2 runs have not been evaluated yet" in shown(app)


def test_a_run_with_broken_answers_is_named(workspace, scored):
    member = next(one for one in scored.members if one.kind == "generate")
    (workspace.runs / member.run_id / "outputs.parquet").write_bytes(b"PAR1 nonsense")
    app = open_page("compare", dataset="mine")
    assert not app.exception
    assert "comes nearest to its targets" in shown(app)  # the scores were made before, and stand
    assert member.run_id.replace("_", "\\_").replace("-", "\\-") in "".join(
        one.value for one in app.error
    )


def test_a_broken_report_can_be_made_again(workspace, scored, begun):
    (workspace.runs / scored.members[-1].run_id / "report.json").write_text("{}")
    app = open_page("compare", dataset="mine")
    assert not app.exception and len(app.error) == 1
    assert "imitating <b>ann</b>" in shown(app)  # the answers can be read
    app.button(key="compare.score").click().run()
    assert not app.exception and begun == {scored.members[-1].run_id}


def test_a_failed_evaluation_says_why(workspace, scored):
    folder = workspace.runs / scored.members[-1].run_id
    for name in ("result.json", "report.json"):
        (folder / name).unlink()
    evaluation = store.find_experiment(workspace, scored.experiment_id).evaluation
    evaluation.write(Status(state="failed", message="the disk is full"))
    app = open_page("compare", dataset="mine")
    assert "the disk is full" in shown(app) and app.button(key="compare.score")


def test_what_is_taken_along_is_what_is_shown(scored):
    app = open_page("compare", dataset="mine")
    labels = [one.proto.label for one in app.get("download_button")]
    for wanted in ("Report (self-contained HTML)", "Scores (long CSV)", "Scores (JSONL)",
                   "Answers (CSV)", "Answers (JSONL)"):  # fmt: skip
        assert wanted in labels


@pytest.mark.parametrize("key", keys_of("compare"))
def test_a_link_to_what_is_not_in_the_comparison_says_so(key, scored):
    says_it_is_not_here("compare", key, "mine")


def test_before_any_answer_a_link_to_a_comparison_says_so(add):
    add(world())
    says_it_is_not_here("compare", "of", "mine")
    says_it_is_not_here("compare", "runs", "mine")


def test_the_tests_are_tables_of_their_own(scored):
    app = open_page("compare", dataset="mine", part="tests")
    page = shown(app)
    assert "Alternative annotator test" in page and "Equivalence with the human" in page
    # Twelve items are too few to replace anyone, and it is said so.
    assert "no annotator has 30 items that others answered too" in page
    assert "Benjamini–Yekutieli" in page
    replacement = app.dataframe[2].value
    assert set(replacement["Annotator"]) == {"all", "ann", "bob", "cyd"}
    assert set(replacement["Result"]) == {"not tested"}
    assert not any("indistinguishable" in text.value for text in app.warning)


def test_the_tests_of_one_annotator(scored):
    app = open_page("compare", dataset="mine", part="tests", target="bob")
    assert set(app.dataframe[2].value["Annotator"]) == {"bob"}


def test_without_its_tests_an_older_report_offers_to_be_computed_again(scored, workspace):
    path = workspace.runs / scored.evaluation.run_id / "report.json"
    raw = json.loads(path.read_text())
    del raw["referee"]
    path.write_text(json.dumps(raw))
    app = open_page("compare", dataset="mine", part="tests")
    assert "earlier version" in shown(app)
    assert "compare.rescore" in [button.key for button in app.button]
