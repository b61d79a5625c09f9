"""From finished runs to a draft: what is shown, what is sealed, and what the commands say."""

from __future__ import annotations

import json
import re

import pytest
from helpers.study_designs import design, finished_run, seen_by_judge, simulated
from typer.testing import CliRunner

from capo_core import cli
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.imitation.generation.outputs import read_table
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.study.config import StudyConfig
from capo_core.study.design import draft as design_draft
from capo_core.study.design import sources
from capo_core.study.design.draft import draw_from
from capo_core.study.tables import FEEDBACK, SEALED, SHOWN, as_cell, frame_of, from_cell
from capo_core.workspace import Workspace, write_json

EVERYTHING = ("attribution", "comparison", "reasoning")


def sometimes_unreadable(request) -> str:
    if int(request.key[:1], 16) < 4:
        return "I would rather not."
    return f"Label: neutral\nExplanation: Number {request.key[:6]} says that it may be so."


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A workspace with a dataset and a finished run: (workspace, dataset, run id)."""
    workspace, world = Workspace(tmp_path_factory.mktemp("studies")), simulated(items=120)
    Catalog(workspace).add(world)
    return workspace, world, finished_run(workspace, world, answer=sometimes_unreadable)


@pytest.fixture(scope="module")
def draft(place):
    workspace, world, run = place
    named = {"human": "human", "other_human": "other_human", "sft": [run]}
    config = design(
        world, kinds=EVERYTHING, sources=named, judges=4, trials_per_judge=6,
        judgments_per_trial=4, checks_share=0.2, repeats_share=0.2, practice=1, name="all-kinds",
    )  # fmt: skip
    return draw_from(workspace, world, config)


def test_only_answers_that_could_be_read_are_shown_and_the_others_counted(place):
    workspace, world, run = place
    config = design(world, sources={"sft": [run]})
    material = sources.collect_texts(workspace, world, config)
    outputs = read_table(workspace.runs / run)
    unread = outputs[outputs["parsed"] == "false"]
    assert 0 < len(unread) < len(outputs)
    said = {(o.source, o.target): o.count for o in material.left_out if o.source == "sft"}
    assert said == {("sft", t): n for t, n in unread["target_annotator_id"].value_counts().items()}
    shown = sum(len(texts) for (name, *_), texts in material.texts.items() if name == "sft")
    assert shown == len(outputs) - len(unread)


def test_what_is_shown_is_what_was_written(place, draft):
    _, world, run = place
    outputs = read_table(place[0].runs / run).set_index(["target_annotator_id", "item_id"])
    wrote = world.annotations.groupby(["annotator_id", "item_id"])["explanation"].agg(list)
    texts = draft.texts.set_index("text_id")
    for row in draft.sealed.itertuples():
        text = texts.loc[row.text_id]
        if row.source == "sft":
            said = [outputs.loc[(row.annotator_id, text["item_id"]), "explanation"]]
            assert row.run_id == run
        elif row.truth == "1":  # a check of reasoning argues about another item
            continue
        else:
            said = wrote[(row.annotator_id, text["item_id"])]
            assert row.run_id == ""
        assert text["explanation"] in [sources.display_text(each) for each in said]


def test_cards_come_from_training_items_alone(place, draft):
    _, world, _ = place
    parts = dict(zip(zip(world.items["text_a"], world.items["text_b"], strict=True),
                     world.items["split"], strict=True))  # fmt: skip
    assert set(draft.cards["annotator_id"]) == set(world.annotators)
    for cell in draft.cards["examples"]:
        examples = from_cell(cell)
        assert len(examples) == draft.config.card_examples
        assert {parts[a, b] for a, b, _, _ in examples} == {"train"}


def test_main_trials_and_checks_are_on_held_out_items_and_practice_beside_them(place, draft):
    split = place[1].items.set_index("item_id")["split"]
    purpose = draft.sealed.drop_duplicates("trial_id").set_index("trial_id")["purpose"]
    items = draft.texts.set_index("text_id")["item_id"]
    for row in draft.trials.itertuples():
        expected = "validation" if purpose[row.trial_id] == "practice" else "test"
        assert {split[items[text]] for text in from_cell(row.text_ids)} == {expected}


def test_truth_is_who_wrote_it(draft):
    for trial_id, rows in draft.sealed.groupby("trial_id"):
        rows = rows.sort_values("slot")
        kind = draft.trials.set_index("trial_id").loc[trial_id, "kind"]
        known = rows["purpose"].iloc[0] in ("check", "practice")
        truth = rows["truth"].iloc[0]
        if kind == "attribution":
            assert truth == rows["annotator_id"].iloc[0]
        elif kind == "comparison":
            own = ["a", "b"][rows["source"].tolist().index("human")] if known else ""
            assert truth == own
        else:
            assert truth == ("1" if known else "")
            assert rows["source"].iloc[1] == "human" and rows["source"].iloc[0] != "human"


def test_nothing_that_a_judge_may_read_tells_a_source(place, draft):
    _, _, run = place
    shown = {table.name: getattr(draft, table.name) for table in SHOWN}
    for name, frame in shown.items():
        text = frame.drop(columns="note", errors="ignore").to_json()
        for word in ("human", "sft", "mirror", run, "fake"):
            assert word not in text, f"{word} stands in {name}"
    practice = set(draft.trials.loc[draft.trials["phase"] == "practice", "trial_id"])
    assert set(shown["feedback"]["trial_id"]) == practice
    # Names are random: sorted by name, sources are not in blocks.
    assert all(re.fullmatch(r"T[0-9a-f]{12}", name) for name in draft.trials["trial_id"])


def test_no_text_stands_under_one_name_in_two_trials(draft):
    names = [text for cell in draft.trials["text_ids"] for text in from_cell(cell)]
    assert len(names) == len(set(names)) == len(draft.texts)
    assert set(draft.sealed["text_id"]) == set(names)


def test_notes_say_what_the_design_cannot_do(place, draft):
    said = " ".join(draft.notes)
    assert "shows no texts of other annotators as such" in said and "does not draw human" in said
    assert "simulated" in said
    kinds = {t["kind"]: set() for rows in seen_by_judge(draft).values() for t in rows}
    for rows in seen_by_judge(draft).values():
        for trial in rows:
            kinds[trial["kind"]].add(trial["sources"][0])
    assert kinds["attribution"] == {"human", "sft"}
    assert kinds["reasoning"] == {"other_human", "sft"}


def test_texts_that_would_tell_can_be_left_out(place):
    workspace, world, _ = place

    def polite(request) -> str:
        first = "Sure! " if int(request.key[:1], 16) < 8 else ""
        return f"Label: neutral\nExplanation: {first}It may be so, by {request.key[:5]}."

    run = finished_run(workspace, world, answer=polite, seed=9)
    config = design(world, sources={"sft": [run]}, judges=2, trials_per_judge=2)
    config = config.with_changes(judgments_per_trial=2, leave_out=("boilerplate",))
    draft = draw_from(workspace, world, config)
    assert not draft.texts["explanation"].str.contains("Sure!").any()
    left = [one for one in draft.left_out if one.reason == "boilerplate"]
    assert sum(one.count for one in left) > 0 and {one.source for one in left} == {"sft"}


def test_runs_must_be_there_and_have_answered_these_data(place):
    workspace, world, run = place
    with pytest.raises(RunError):
        draw_from(workspace, world, design(world, sources={"sft": ["no-such-run"]}))
    with pytest.raises(DataError, match="answered the test part"):
        draw_from(workspace, world, design(world, sources={"sft": [run]}, split="validation"))
    with pytest.raises(ConfigError, match="no annotator"):
        draw_from(workspace, world, design(world, targets=("nobody",)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kinds": ("guess",)}, "attribution, comparison, reasoning"),
        ({"kinds": ()}, "some of"), ({"kinds": "attribution"}, "some of attribution"),
        ({"sources": {}}, "one source"), ({"sources": {"human": "sft"}}, "own names"),
        ({"sources": {"a": "human"}}, "own names"), ({"sources": {"sft": []}}, "one run"),
        ({"sources": {"../x": ["r"]}}, "cannot be used"),
        ({"kinds": ("comparison",)}, "needs 2 sources"),
        ({"kinds": ("reasoning",)}, "has 0"),
        ({"split": "train"}, "one of validation, test"), ({"judges": 0}, "whole number"),
        ({"judges": True}, "whole number"), ({"repeats_share": 0.5}, "0 to 0.3"),
        ({"repeats_share": "much"}, "0 to 0.3"), ({"leave_out": ("taste",)}, "name, boiler"),
        ({"cap": 10}, "a judge would see"), ({"planned_analysis": " "}, "before anyone"),
        ({"name": "a/b"}, "cannot be used"), ({"ask_reason": 1}, "true or false"),
        ({"consent": None}, "a text"), ({"targets": ("a", "a")}, "each once"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(changes, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        StudyConfig(**{"name": "s", "dataset": "d", **changes})


def test_a_design_survives_its_file():
    config = StudyConfig(
        "s", "d", EVERYTHING, {"human": "human", "sft": "r1", "capo": ["r2", "r3"]}
    )
    assert StudyConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.methods == {"sft": ("r1",), "capo": ("r2", "r3")}
    with pytest.raises(ConfigError, match="no setting 'pace'"):
        StudyConfig.from_dict({**config.to_dict(), "pace": 1})
    with pytest.raises(ConfigError, match="a name and a dataset"):
        StudyConfig.from_dict({"name": "s"})


def test_cells_and_empty_tables():
    value = {"slots": [1, 0], "cards": ["ü", "b"]}
    assert as_cell(value) == '{"cards":["ü","b"],"slots":[1,0]}'
    assert from_cell(as_cell(value)) == value
    with pytest.raises(DataError, match="JSON"):
        from_cell("{")
    for table in (*SHOWN, SEALED, FEEDBACK):
        assert frame_of(table, []).columns.tolist() == table.names


def test_an_experiments_methods_become_sources(place, monkeypatch):
    workspace, world, run = place
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    member = {"run_id": run, "kind": "generate", "method": "zero_shot", "seed": 0, "weight": 1.0}
    other = {**member, "run_id": "a-training", "kind": "train_sft", "method": "sft"}
    config = ExperimentConfig(world.name, targets=world.annotators, methods=("zero_shot",))
    saved = {"config": config.to_dict(), "made": 0.0, "runs": [other, member]}
    write_json(workspace.experiments / "an-experiment" / "experiment.json", saved)
    made = CliRunner().invoke(
        cli.app,
        ["study", "create", "chain", "--dataset", world.name, "--experiment", "an-experiment",
         "--kind", "comparison", "--judges", "2", "--trials-per-judge", "3",
         "--judgments-per-trial", "2", "--set", "card_examples=2", "practice=1"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    config = design_draft.load(workspace, "chain").config
    assert config.sources == {
        "human": "human", "other_human": "other_human", "zero_shot": (run,)
    }  # fmt: skip
    pair = ["study", "create", "pair", "--dataset", world.name, "--experiment", "an-experiment",
            "--judges", "2", "--trials-per-judge", "4", "--judgments-per-trial", "2",
            "--set", "card_examples=2", "practice=1", "--kind", "comparison"]  # fmt: skip
    made = CliRunner().invoke(cli.app, [*pair, "--pair", "zero_shot:human"])
    assert made.exit_code == 0, made.output
    sources = design_draft.load(workspace, "pair").config.sources
    assert sources == {"zero_shot": (run,), "human": "human"}
    for wrong in ("zero_shot", "zero_shot:sft", "human:human"):
        refused = CliRunner().invoke(cli.app, [*pair, "--pair", wrong, "--replace"])
        assert refused.exit_code == 2 and "--pair" in refused.output


def test_the_commands_plan_draft_and_freeze_a_study(place, monkeypatch):
    workspace, world, run = place
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))

    def call(*args):
        return CliRunner().invoke(cli.app, ["study", *args])

    numbers = ["--judges", "4", "--trials-per-judge", "8", "--judgments-per-trial", "2",
               "--set", "card_examples=2", "practice=1"]  # fmt: skip
    named = ["--dataset", world.name, "--source", "human", "--source", f"sft={run}"]
    planned = call("plan", *named, *numbers, "--simulations", "20", "--json")
    assert planned.exit_code == 0, planned.output
    (plan,) = json.loads(planned.output)
    assert plan["simulations"] == 20 and plan["numbers"]["hand"] == 4
    assert "80\u00a0% power" in plan["enough_judges"]["sentence"].replace(" %", "\u00a0%")
    made = call("create", "first", *named, *numbers, "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.output)
    assert told["balance"]["per_source"]["attribution"] == {"least": 4, "most": 4}
    assert told["balance"]["items_twice"] == 0 and told["minutes"]["median"] > 0
    assert "20 simulated studies" in call("plan", "first", "--simulations", "20").output
    again = call("create", "first", *named, *numbers)
    assert again.exit_code == 2 and "there is a study named" in again.output
    odd = call("create", "odd", *named, *numbers, "--judges", "3", "--judgments-per-trial", "3",
               "--trials-per-judge", "7")  # fmt: skip
    assert odd.exit_code == 2 and "Trials per judge and kind: 6" in odd.output
    assert call("leaks", "first").exit_code == 0
    found = json.loads(call("leaks", "first", "--json").output)
    frozen = call("freeze", "first", "--json")
    assert (frozen.exit_code == 2) == bool(found)
    reviewed = frozen if frozen.exit_code == 0 else None
    frozen = call("freeze", "first", "--accept-leaks", "--json")
    assert len(json.loads(frozen.output)["hash"]) == 64
    facts = json.loads((reviewed or frozen).output)["review"]["facts"]
    assert facts["Judges"].startswith("4, with") and "Power, attribution" in facts
    listed = {row["study"]: row for row in json.loads(call("list", "--json").output)}
    assert (
        listed["first"]["frozen"] and listed["first"]["hash"] == json.loads(frozen.output)["hash"]
    )
    assert call("freeze", "nothing").exit_code == 2
