"""The draft of an experiment: kept, changed, loaded; its command gives the very same experiment."""

from __future__ import annotations

import json
import shlex

import pytest
import typer
from typer.testing import CliRunner

from capo_core.cli import experiments, runs
from capo_core.dashboard.finetune import draft, form
from capo_core.dashboard.finetune.fields import FOLDED, MAIN
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.runs import checks, queue
from capo_core.runs.experiments.config import PRESETS, ExperimentConfig, from_preset
from capo_core.runs.experiments.plan import plan_runs
from capo_core.workspace import Workspace

SETTINGS = [*MAIN, *(each for group in FOLDED.values() for each in group)]


@pytest.fixture
def begun() -> draft.Draft:
    return draft.plain(from_preset("minutes", "demo-nli", ("A",)))


def test_a_draft_is_kept_for_its_dataset_and_survives_damage(tmp_path, begun):
    workspace = Workspace(tmp_path)
    assert draft.load(workspace, "demo-nli") is None
    draft.keep(workspace, begun)
    assert draft.load(workspace, "demo-nli") == begun
    assert draft.load(workspace, "another") is None
    (file,) = (workspace.cache / "drafts").iterdir()
    file.write_text("{")
    assert draft.load(workspace, "demo-nli") is None


def test_a_change_leaves_the_old_draft_alone(begun):
    new = draft.changed(begun, "sft.lora.rank", 8)
    assert draft.value(new, "sft.lora.rank") == 8
    assert draft.value(begun, "sft.lora.rank", "none") == "none"
    assert draft.value(new, "sft.lora.alpha", 32) == 32


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_recognised_until_something_is_changed(name, begun):
    chosen = draft.with_preset({**begun, "name": "mine", "targets": ["A", "B"]}, name)
    assert draft.preset_of(chosen) == name
    assert (chosen["name"], chosen["targets"], chosen["dataset"]) == (
        "mine", ["A", "B"], "demo-nli",
    )  # fmt: skip
    assert draft.preset_of(draft.changed(chosen, "sft.epochs", 99)) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "not JSON"),
        ("[1]", "an experiment names a dataset"),
        ('{"dataset": "demo-nli", "speed": 1}', "speed"),
        ('{"dataset": "demo-nli", "targets": ["A"], "sft": {"epochs": 0}}', "epochs"),
    ],
)
def test_a_text_that_is_no_configuration_is_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        draft.read(text)


def test_what_was_saved_is_loaded_again(begun):
    config = draft.config_of(begun)
    assert draft.read(draft.as_json(config)) == config
    # Also out of the file that the workspace keeps of an experiment that was begun.
    kept = json.dumps({"config": config.to_dict(), "made": 1.0, "runs": []})
    assert draft.read(kept) == config


# A part's settings are added to the preset's; an empty part takes all of them away.
CHANGES = {
    "none": {},
    "more targets": {"targets": ["A", "B"]},
    "methods": {"methods": ["zero_shot", "capo"]},
    "seeds": {"seeds": [0, 7]},
    "a setting": {"sft": {"epochs": 9}},
    "a nested setting": {"capo": {"pairs": {"near_duplicate": 0.8}}},
    "a name with spaces": {"name": 'it\'s "mine"'},
    "a setting taken away": {"generate": {}},
    "a server": {"server": "big model"},
    "retention": {"retention": {}},
    "retention with settings": {"retention": {"items": 9, "text": __file__}},
    "a judge": {"judge": {"server": "big model", "trials": 8}},
}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(queue, "advance", lambda workspace: [])
    return Workspace(tmp_path)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("preset", ["minutes", "paper-qwen"])
def test_the_command_asks_for_the_very_same_runs(
    workspace, tmp_path, monkeypatch, begun, preset, change
):
    chosen = draft.with_preset(begun, preset)
    for name, value in CHANGES[change].items():
        added = isinstance(value, dict) and value
        chosen[name] = {**chosen.get(name, {}), **value} if added else value
    config = draft.config_of(chosen)
    words = shlex.split(draft.command(config))
    assert words[:5] == ["python", "-m", "capo_core", "experiment", "start"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / draft.FILE_NAME).write_text(draft.as_json(config))
    app = typer.Typer(rich_markup_mode=None)
    runs.mount(app)
    experiments.mount(app)
    done = CliRunner().invoke(app, [*words[3:], "--json"])
    assert done.exit_code == 0, done.output
    entry = next(each for each in Catalog(workspace).entries() if each.name == "demo-nli")
    settled = config.with_changes(fingerprint=entry.fingerprint)
    started = ExperimentConfig.from_dict(json.loads(done.output)["config"])
    assert started == settled
    assert ("--config" in words) == (change in ("a setting taken away",))


@pytest.mark.parametrize("setting", SETTINGS, ids=[each.path for each in SETTINGS])
def test_every_setting_has_its_help_and_a_default_that_works(setting, begun):
    assert setting.label and setting.help.endswith(".")
    assert setting.default is not None or setting.empty
    config = draft.config_of(draft.changed(begun, setting.path, setting.default))
    for each in plan_runs(config):
        checks.check(each.request)
    if setting.kind == "choice":
        assert setting.default in setting.options
        for option in setting.options:
            draft.config_of(draft.changed(begun, setting.path, option))
    elif setting.kind in ("whole", "number") and setting.default is not None:
        assert setting.low <= setting.default
        assert setting.high is None or setting.default <= setting.high


@pytest.mark.parametrize("stage", ["retention", "judge"])
def test_measurements_are_no_part_of_a_preset_and_their_defaults_work(stage, begun):
    settings = getattr(form, stage.upper())
    chosen = draft.changed(begun, stage, draft.BEGUN[stage])
    assert draft.preset_of(begun) == "minutes" and draft.preset_of(chosen) == ""
    if stage == "judge":
        with pytest.raises(ConfigError, match="no model is named as the LLM judge"):
            draft.config_of(chosen)
        chosen = draft.changed(chosen, "judge.server", "big model")
    asked = plan_runs(draft.config_of(chosen))
    for each in settings:
        assert each.label and each.help.endswith(".")
        chosen = draft.changed(chosen, each.path, each.default)
    # Written out or left out, it is the same run.
    again = plan_runs(draft.config_of(chosen))
    assert [each.run_id for each in again] == [each.run_id for each in asked]
    assert stage in {each.request.kind for each in asked}
    off = draft.config_of(draft.changed(chosen, stage, None))
    assert off == draft.config_of(begun)


def test_no_setting_stands_twice_on_the_form():
    paths = [each.path for each in SETTINGS]
    assert len(paths) == len(set(paths))


def test_the_command_says_whether_likelihood_is_asked_for(begun):
    plain = draft.config_of(draft.with_preset(begun, "minutes"))
    asked = plain.with_changes(likelihood=True)
    assert "--likelihood" in shlex.split(draft.command(asked))
    people = draft.config_of(draft.with_preset(begun, "people")).with_changes(likelihood=False)
    assert shlex.split(draft.command(people))[-3:] == ["--preset", "people", "--no-likelihood"]
    assert draft.preset_of(draft.plain(plain)) == "minutes"
    assert draft.preset_of(draft.plain(asked)) == ""
