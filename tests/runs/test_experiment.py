"""Experiments: what runs they are made of, who waits for whom, how far they are."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest

from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.imitation.prompting.prompts import METHOD_NAMES, TRAINED, USUAL_METHODS
from capo_core.runs import actions, checks, process, queue, submit
from capo_core.runs.experiments import config as experiments_config
from capo_core.runs.experiments import store
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.plan import plan_runs
from capo_core.runs.experiments.store import progress_of
from capo_core.runs.status import Status
from capo_core.workspace import Workspace

TARGETS = ("1", "2")


def experiment(**changes) -> ExperimentConfig:
    return ExperimentConfig("demo-nli", targets=TARGETS, **changes)


def by_kind(planned) -> dict:
    found: dict = {}
    for each in planned:
        found.setdefault(each.request.kind, []).append(each)
    return found


def test_all_methods_for_two_targets():
    planned = plan_runs(experiment())
    kinds = by_kind(planned)
    # One training a target and stage, one profile run, one generation a method, one evaluation.
    assert {kind: len(found) for kind, found in kinds.items()} == {
        "profile": 1, "train_sft": 2, "train_capo": 2, "generate": 5, "evaluate": 1,
    }  # fmt: skip
    (evaluation,) = kinds["evaluate"]
    assert planned[-1] == evaluation
    answers = {each.method: each for each in kinds["generate"]}
    # Strict before a training and its answers; the evaluation takes what there is.
    assert set(evaluation.request.after_any) == {each.run_id for each in answers.values()}
    assert evaluation.request.after == ()
    assert all(not each.request.after_any for each in planned[:-1])
    sft = [each.run_id for each in kinds["train_sft"]]
    capo = [each.run_id for each in kinds["train_capo"]]
    assert [each.request.after for each in kinds["train_capo"]] == [(name,) for name in sft]
    assert answers["zero_shot"].request.after == answers["icl"].request.after == ()
    assert answers["profile"].request.after == (kinds["profile"][0].run_id,)
    assert answers["sft"].request.after == tuple(sft)
    assert answers["capo"].request.after == tuple(capo)


@pytest.mark.parametrize("methods", [(method,) for method in METHOD_NAMES])
def test_one_method_alone_has_what_it_needs(methods):
    planned = plan_runs(experiment(methods=methods))
    known = set()
    for each in planned:
        assert set(each.request.waits_for) <= known
        checks.check(each.request)
        known.add(each.run_id)
    assert ("train_sft" in by_kind(planned)) == (methods[0] in TRAINED)
    assert ("train_capo" in by_kind(planned)) == methods[0].startswith("capo")
    assert len(by_kind(planned)["generate"]) == 1


def test_controls_have_trainings_of_their_own():
    config = experiment(
        methods=METHOD_NAMES, capo={"epochs": 2, "contrast": "explanation", "beta": 0.5}
    )
    kinds = by_kind(plan_runs(config))
    sft = {each.method: each.request.settings["config"] for each in kinds["train_sft"]}
    usual = sft["sft"]
    assert sft["sft_long"] == {**usual, "epochs": usual["epochs"] + 2}
    assert sft["sft_shuffled"] == {**usual, "shuffled": True}
    capo = {each.method: each.request.settings["config"] for each in kinds["train_capo"]}
    assert (capo["capo"]["contrast"], capo["capo"]["beta"]) == ("explanation", 0.5)
    assert "contrast" not in capo["capo_plain"] and capo["capo_plain"]["beta"] == 0.1
    assert capo["capo_plain"]["epochs"] == 2
    # Both start from the same SFT run, which goes by the method it is of.
    starts = {each.request.settings["sft"] for each in kinds["train_capo"]}
    assert len(starts) == len(TARGETS)
    answers = {each.method: each.request for each in kinds["generate"]}
    used = {method: answers[method].settings["adapters"] for method in TRAINED}
    assert len({tuple(runs) for runs in used.values()}) == len(TRAINED)
    for method, runs in used.items():
        assert answers[method].after == tuple(runs)


def test_authors_are_told_by_the_adapters_of_the_first_seed():
    methods = ("sft", "capo", "sft_long")
    config = experiment(methods=methods, seeds=(3, 4), likelihood=True)
    kinds = by_kind(plan_runs(config))
    first = [each.run_id for each in kinds["train_sft"] if (each.method, each.seed) ==
             ("sft_long", 3)]  # fmt: skip
    (evaluation,) = kinds["evaluate"]
    assert evaluation.request.settings["authors"] == first and len(first) == len(TARGETS)
    assert set(first) <= set(evaluation.request.after_any)
    checks.check(evaluation.request)
    without = by_kind(plan_runs(experiment(methods=methods[:2], likelihood=True)))
    sft = [each.run_id for each in without["train_sft"]]
    assert without["evaluate"][0].request.settings["authors"] == sft
    assert "likelihood" not in experiment(methods=methods).to_dict()
    with pytest.raises(ConfigError, match="experiment, likelihood"):
        experiment(methods=("zero_shot",), likelihood=True)


def test_likelihood_needs_all_annotators_before_anything_is_trained(tmp_path):
    workspace = Workspace(tmp_path)
    *some, last = Catalog(workspace).load("demo-nli").annotators
    config = ExperimentConfig("demo-nli", targets=some, methods=("sft",), likelihood=True)
    with pytest.raises(ConfigError, match=f"there is none of '{last}'"):
        store.start(workspace, config)
    assert not workspace.experiments.exists()


@pytest.mark.parametrize(
    ("changes", "targets"),
    [
        ({"methods": ("icl",)}, TARGETS),
        ({"methods": ("capo",)}, TARGETS),
        ({"methods": ("sft_shuffled",)}, TARGETS[:1]),
        ({}, TARGETS[:1]),
    ],
)
def test_a_presets_likelihood_attribution_is_left_out_where_it_cannot_be_had(changes, targets):
    def made(**more):
        return experiments_config.from_preset(
            "people", "demo-nli", targets, annotators=TARGETS, **changes, **more
        )

    assert not made().likelihood
    if "methods" in changes:  # asked for by name, it is refused and not left out
        with pytest.raises(ConfigError, match="experiment, likelihood"):
            made(likelihood=True)
    assert experiments_config.from_preset(
        "people", "demo-nli", TARGETS, annotators=TARGETS, methods=("sft", "capo")
    ).likelihood


@pytest.mark.parametrize("what", [{"server": "big-model"}, {"base": "embedded"}])
def test_the_label_prior_corrects_only_probabilities_that_there_are(what):
    config = experiments_config.from_preset("people", "demo-nli", TARGETS, **what)
    answers = by_kind(plan_runs(config))["generate"]
    of = {each.method: each.request.settings["config"].get("label_prior") for each in answers}
    if "server" in what:
        prompted = {method for method in of if method not in TRAINED}
        assert {of[method] for method in prompted} == {None}
        assert {of[method] for method in set(of) - prompted} == {"annotator"}
    else:
        assert set(of.values()) == {None}
    with pytest.raises(ConfigError, match="servers give no probabilities of labels"):
        experiment(server="m", generate={"label_choice": "scores"})


def test_what_is_missing_is_said_before_a_run_begins(tmp_path):
    workspace = Workspace(tmp_path)
    dataset = Catalog(workspace).load("demo-nli")
    config = ExperimentConfig(
        "demo-nli", targets=dataset.annotators[:1], methods=("capo",), base="smollm2"
    )
    with pytest.raises(ConfigError, match="not in this workspace yet"):
        store.check_experiment(workspace, config)
    assert store.check_experiment(workspace, config, fetched=True).fingerprint
    items = dataset.items.assign(split=dataset.items["split"].replace("validation", "train"))
    calibrated = config.with_changes(capo={"calibrate": True})
    store.check_calibration(calibrated, dataset)
    unsplit = replace(dataset, items=items)
    with pytest.raises(ConfigError, match="no validation items"):
        store.check_calibration(calibrated, unsplit)
    store.check_calibration(config, unsplit)
    store.check_calibration(calibrated.with_changes(methods=("capo_plain",)), unsplit)


def test_the_plain_form_is_capo_where_that_is_plain():
    kinds = by_kind(plan_runs(experiment(methods=("capo", "capo_plain"))))
    assert {each.method for each in kinds["train_capo"]} == {"capo"}
    assert len(kinds["generate"]) == 2


def test_retention_follows_the_last_training_and_a_judge_the_answers():
    config = experiment(
        seeds=(0, 1),
        retention={"items": 20, "text": "/tmp/general.txt"},
        judge={"server": "big-model", "trials": 12},
    )
    planned = plan_runs(config)
    kinds = by_kind(planned)
    capo = {each.run_id: each for each in kinds["train_capo"]}
    assert len(kinds["retention"]) == 4
    for each in kinds["retention"]:
        asked = each.request.settings
        training = capo[asked["run"]]
        assert training.request.settings["target"] == asked["target"]
        assert each.request.after == (*training.request.after, training.run_id)
        assert asked["text"] == "/tmp/general.txt" and asked["config"]["items"] == 20
        checks.check(each.request)
    (judge,) = kinds["judge"]
    answers = [each.run_id for each in kinds["generate"]]
    assert judge.request.settings["runs"] == answers == list(judge.request.after_any)
    assert judge.request.settings["server"] == "big-model"
    checks.check(judge.request)
    evaluation = planned[-1].request
    assert evaluation.settings["judges"] == [judge.run_id] and judge.run_id in evaluation.after_any
    again = ExperimentConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and plan_runs(again) == planned
    # Without CAPO it follows SFT; without a training there is nothing to measure.
    (one, _) = by_kind(plan_runs(experiment(methods=("sft",), retention={})))["retention"]
    assert one.method == "sft"
    assert "retention" not in by_kind(plan_runs(experiment(methods=("icl",), retention={})))
    assert not {"retention", "judge"} & set(experiment().to_dict())


def test_seeds_repeat_everything_but_the_evaluation():
    kinds = by_kind(plan_runs(experiment(seeds=(0, 1, 2))))
    assert len(kinds["train_sft"]) == 6 and len(kinds["generate"]) == 15
    assert len(kinds["evaluate"]) == 1
    assert {each.request.settings["config"]["seed"] for each in kinds["train_capo"]} == {0, 1, 2}


def test_one_adapter_for_all():
    kinds = by_kind(plan_runs(experiment(sft={"shared": True}, methods=("sft", "capo"))))
    assert [each.request.settings["target"] for each in kinds["train_sft"]] == ["all"]
    assert kinds["train_capo"][0].request.settings["config"]["shared"] is True


def test_a_server_prompts_and_the_base_trains():
    kinds = by_kind(plan_runs(experiment(server="big-model")))
    asked = {each.method: each.request.settings for each in kinds["generate"]}
    assert asked["icl"]["server"] == "big-model" and "base" not in asked["icl"]
    assert asked["sft"]["base"] == "embedded" and "server" not in asked["sft"]


def test_names_say_what_is_asked_and_nothing_else():
    assert [each.run_id for each in plan_runs(experiment())] == [
        each.run_id for each in plan_runs(experiment(name="another name", executor="slurm"))
    ]
    one, other = (
        {each.run_id for each in plan_runs(experiment(capo={"beta": beta}))} for beta in (0.1, 0.2)
    )
    # Another beta: CAPO, its answers, and what scores them; all else is done once.
    assert len(one - other) == 4


def test_a_configuration_survives_its_file():
    config = experiment(seeds=(0, 3), sft={"epochs": 2, "lora": {"rank": 4}}, name="ünï")
    assert ExperimentConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": ("dance",)}, "some of zero_shot"),
        ({"methods": ()}, "methods"),
        ({"methods": "sft"}, "some of zero_shot"),
        ({"targets": ("1", "1")}, "each annotator once"),
        ({"seeds": (-1,)}, "seeds"),
        ({"seeds": (True,)}, "seeds"),
        ({"base": ""}, "a base"),
        ({"base": "", "server": "x"}, "to train on"),
        ({"executor": "cloud"}, "local, slurm"),
        ({"sft": {"epochs": 0}}, "epochs"),
        ({"sft": {"pace": 1}}, "no setting 'pace'"),
        ({"sft": {"epochs": "many"}}, "SFT, epochs: 'many' cannot be used"),
        ({"capo": {"beta": -1}}, "beta"),
        ({"generate": {"temperature": -1}}, "temperature"),
        ({"profile": {"tries": 0}}, "tries"),
        ({"evaluate": {"speed": 1}}, "no setting 'speed'"),
        ({"retention": {"strengths": [0.5]}}, "ascending from 0 to 1"),
        ({"retention": {"charm": 1}}, "no setting 'charm' in retention"),
        ({"judge": {"trials": 4}}, "a server's model, or a base"),
        ({"judge": {"server": "m", "base": "b"}}, "one of both"),
        ({"judge": {"server": "m", "cards": 0}}, "LLM judge, cards"),
        ({"dataset": "../x"}, "'../x' cannot be used"),
    ],
)
def test_nonsense_is_refused_before_anything_begins(changes, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        ExperimentConfig(**{"dataset": "demo-nli", "targets": TARGETS, **changes})


def test_naming_a_setting_of_a_measurement_adds_it():
    assert experiment().with_settings({"retention": {}}).retention == {}
    more = experiment(retention={"items": 5}).with_settings({"retention.passages": 7})
    assert more.retention == {"items": 5, "passages": 7}
    assert experiment().with_settings({"judge.server": "m"}).judge == {"server": "m"}
    assert experiment().with_settings({"sft.epochs": 2}).judge is None
    assert more.with_settings({"retention": None}) == experiment()
    with pytest.raises(ConfigError, match="no setting 'charm' in retention"):
        experiment().with_settings({"retention.charm": 1})
    with pytest.raises(RunError, match=r"no setting 'pace\.x'"):
        experiment().with_settings({"pace.x": 1})


@pytest.mark.parametrize("name", experiments_config.PRESETS)
def test_presets_are_experiments(name):
    config = experiments_config.from_preset(name, "demo-nli", TARGETS)
    wanted = {"real": ("zero_shot", "sft", "capo"), "people": METHOD_NAMES}
    assert config.methods == wanted.get(name, USUAL_METHODS)
    for each in plan_runs(config):
        checks.check(each.request)


def test_the_quick_demo_has_one_target():
    assert experiments_config.demo_config(("a", "b"), quick=True).targets == ("a",)
    assert experiments_config.demo_config(("a", "b")).targets == ("a", "b")


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """An experiment in the queue of a workspace where nothing begins."""
    monkeypatch.setattr(process, "start", lambda folder, **_: os.getpid())
    workspace = Workspace(tmp_path)
    names = Catalog(workspace).load("demo-nli").annotators[:2]
    config = ExperimentConfig("demo-nli", targets=names, methods=("zero_shot", "sft"))
    return store.start(workspace, config)


def put(begun, kind: str, **status) -> None:
    for member, run in zip(begun.members, begun.runs(), strict=True):
        if member.kind == kind:
            run.write(Status(**status))


def test_it_is_found_again(begun):
    again = store.find_experiment(begun.workspace, begun.experiment_id)
    assert again.members == begun.members and again.config == begun.config
    assert begun.config.fingerprint  # the dataset as it was when it began
    found, broken = store.all_experiments(begun.workspace)
    assert [each.experiment_id for each in found] == [begun.experiment_id] and not broken


@pytest.mark.parametrize("text", ['{"runs": [{"run_id": "../../x"}]}', '{"runs": []}', "{"])
def test_a_broken_file_is_told_and_hides_no_other(begun, text):
    other = begun.workspace.experiments / "other"
    other.mkdir()
    (other / "experiment.json").write_text(text)
    found, broken = store.all_experiments(begun.workspace)
    assert len(found) == 1 and "is broken" in broken["other"]
    with pytest.raises(RunError, match="is broken"):
        store.find_experiment(begun.workspace, "other")


def test_0_and_0_0_are_one_experiment_with_the_same_runs():
    whole = experiment(sft={"weight_decay": 0, "lora": {"alpha": 8}})
    with_fractions = experiment(sft={"weight_decay": 0.0, "lora": {"alpha": 8.0}})
    assert whole.experiment_id == with_fractions.experiment_id == with_fractions.former_id
    assert whole.former_id != whole.experiment_id
    names = [[submit.run_name(each.request) for each in plan_runs(config)]
             for config in (whole, with_fractions)]  # fmt: skip
    assert names[0] == names[1]
    assert experiment(sft={"weight_decay": 0.5}).experiment_id != whole.experiment_id


def test_an_experiment_of_a_build_that_told_0_from_0_0_keeps_its_name(begun):
    config = begun.config.with_changes(sft={"weight_decay": 0})
    folder = begun.workspace.experiments / config.former_id
    shutil.copytree(begun.folder, folder)
    raw = json.loads((folder / store.FILE).read_text())
    raw["config"] = config.to_dict()
    (folder / store.FILE).write_text(json.dumps(raw))
    again = store.start(begun.workspace, config)
    assert again.experiment_id == config.former_id != config.experiment_id
    assert again.members == begun.members
    assert store.find_experiment(begun.workspace, config.former_id).folder == folder


def test_begun_twice_it_is_one(begun):
    before = [run.request for run in begun.runs()]
    again = store.start(begun.workspace, begun.config)
    orders = [run.request.order for run in again.runs()]
    assert [request.order for request in before[1:]] == orders[1:]
    assert again.made == begun.made


def test_an_experiment_keeps_its_runs_where_the_program_would_now_plan_others(begun):
    # As if the name had been made of other defaults than those of now.
    evaluation = begun.evaluation.folder
    evaluation.rename(evaluation.with_name("evaluation-of-before"))
    file = begun.folder / store.FILE
    file.write_text(file.read_text().replace(evaluation.name, "evaluation-of-before"))
    old = store.find_experiment(begun.workspace, begun.experiment_id)
    put(old, "evaluate", state="failed")
    again = store.start(begun.workspace, begun.config)
    assert again.members == old.members and again.evaluation.status().state == "queued"
    assert not evaluation.exists()
    # Where one is not there any more, all are planned anew; what is there under its name counts.
    put(old, "evaluate", state="stopped")
    actions.delete(begun.workspace, "evaluation-of-before")
    anew = store.start(begun.workspace, begun.config)
    assert anew.members == begun.members and anew.made == begun.made
    assert store.find_experiment(begun.workspace, begun.experiment_id).members == begun.members


def test_progress_is_the_weighted_share_and_the_rest_by_its_pace(begun):
    # Weights for two targets: two trainings 1 each, two generations 1 each, evaluation 0.8.
    put(begun, "train_sft", state="succeeded", share=1.0, started=1000.0, ended=1060.0)
    found = progress_of(begun)
    assert found.state == "running"
    assert found.share == pytest.approx(2 / 4.8)
    # 60 s for each weight of 1: 2.8 of weight are left.
    assert found.left_s == pytest.approx(2.8 * 60)
    assert found.elapsed_s == pytest.approx(120)
    put(begun, "generate", state="succeeded", share=1.0, started=1000.0, ended=1010.0)
    put(begun, "evaluate", state="succeeded", share=1.0, started=1000.0, ended=1010.0)
    done = progress_of(begun)
    assert (done.state, done.share, done.left_s) == ("succeeded", pytest.approx(1.0), None)
    assert done.counts == {"succeeded": 5}


def test_progress_tells_what_keeps_it(begun):
    put(begun, "train_sft", state="failed", message="the milk is sour")
    put(begun, "generate", state="succeeded", share=1.0)
    queue.advance(begun.workspace)
    found = progress_of(begun)
    assert found.state == "running"  # the evaluation's other needs are met: see below
    put(begun, "evaluate", state="failed", message="no", blocked_by="x")
    found = progress_of(begun)
    assert found.state == "failed" and "the milk is sour" in found.message


def test_a_stopped_experiment_says_so_and_is_taken_up_again(begun):
    put(begun, "train_sft", state="queued")
    put(begun, "generate", state="queued")
    assert len(store.stop(begun)) == 5
    assert progress_of(begun).state == "stopped"
    store.start(begun.workspace, begun.config)
    assert progress_of(begun).counts.get("stopped", 0) == 0


def test_a_deleted_run_shows_as_missing(begun):
    store.stop(begun)
    put(begun, "evaluate", state="stopped")
    actions.delete(begun.workspace, begun.members[-1].run_id)
    assert begun.evaluation is None
    assert progress_of(begun).counts["deleted"] == 1


def test_annotators_and_datasets_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no annotator 'nobody'"):
        store.start(Workspace(tmp_path), ExperimentConfig("demo-nli", targets=("nobody",)))
    with pytest.raises(DataError):
        store.start(Workspace(tmp_path), ExperimentConfig("not-there", targets=("1",)))
    with pytest.raises(ConfigError, match="there is no file"):
        store.start(Workspace(tmp_path), experiment(retention={"text": str(tmp_path / "none")}))
    assert not (tmp_path / "runs").exists()


def test_a_failed_experiment_is_dismissed_and_starting_it_lists_it_again(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "advance", lambda workspace: [])
    workspace = Workspace(tmp_path)
    config = ExperimentConfig("demo-nli", targets=("A",), methods=("zero_shot",))
    made = store.start(workspace, config)
    with pytest.raises(RunError, match="is running"):
        store.dismiss(made)
    for run in made.runs():
        run.write(Status(state="failed", message="out of milk"))
    store.dismiss(made)
    (found,) = store.all_experiments(workspace)[0]
    assert found.dismissed and len(found.runs()) == 2
    store.start(workspace, config)
    assert not store.all_experiments(workspace)[0][0].dismissed
