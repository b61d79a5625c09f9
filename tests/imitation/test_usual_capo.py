"""CAPO where nothing is chosen: what serves people on every base but the embedded one."""

import pytest

from capo_core.dashboard.finetune import draft
from capo_core.imitation.training.config import CapoConfig, usual_capo
from capo_core.runs.experiments.config import PRESETS, from_preset

USUAL = {"contrast": "explanation", "calibrate": True}


def capo_of(preset: str, **changes) -> CapoConfig:
    return from_preset(preset, "votes", ("A",), **changes).capo_config(0)


def test_the_embedded_base_keeps_the_plain_form_and_its_runs_their_names():
    assert usual_capo("embedded") == {}
    assert "contrast" not in capo_of("minutes").to_dict()
    assert from_preset("minutes", "votes", ("A",)) == from_preset(
        "minutes", "votes", ("A",), base="embedded"
    )


@pytest.mark.parametrize("base", ["smollm2", "models/own", "Qwen/Qwen3-4B"])
def test_another_base_gets_what_serves_people_whatever_the_preset(base):
    assert usual_capo(base) == USUAL
    for preset in ("minutes", "real", "people"):
        found = capo_of(preset, base=base)
        assert (found.contrast, found.calibrate) == ("explanation", True)
    started = from_preset("minutes", "votes", ("A",), base=base)
    chosen = started.with_settings({"capo.contrast": "response", "capo.calibrate": False})
    assert "contrast" not in chosen.capo_config(0).to_dict()  # what is named is taken


def test_the_plain_form_stays_by_its_name():
    config = from_preset("people", "votes", ("A",))
    plain = config.trainings("capo_plain", 0)[1]
    assert (plain.contrast, plain.calibrate) == ("response", False)


def test_no_strength_where_none_can_be_chosen():
    assert usual_capo("smollm2", adapter="dora") == {"contrast": "explanation"}
    assert usual_capo("smollm2", shared=True) == {"contrast": "explanation"}
    assert usual_capo("smollm2", validation=False) == {"contrast": "explanation"}


def test_the_command_of_a_form_on_another_base_is_the_same_experiment():
    begun = {"dataset": "votes", "targets": ["A"]}
    form = draft.with_preset(begun, "minutes", "smollm2")
    assert {name: form["capo"][name] for name in USUAL} == USUAL
    assert "--preset minutes --base smollm2" in draft.command(draft.config_of(form))
    assert draft.preset_of(form, "smollm2") == "minutes"
    assert all(draft.with_preset(begun, name)["base"] for name in PRESETS)


def on_form(begun: dict, *changes: tuple[str, object]) -> dict:
    """Return the draft after changes by hand, one after the other."""
    for path, new in changes:
        begun = draft.with_usual_capo(begun, draft.changed(begun, path, new), path)
    return begun


def form_of(preset: str = "minutes", suggested: str = "embedded") -> dict:
    return draft.with_preset({"dataset": "votes", "targets": ["A"]}, preset, suggested)


def capo_on(form: dict) -> dict:
    config = draft.config_of(form).capo_config(0)
    return {name: getattr(config, name) for name in USUAL}


PLAIN_FORM = {"contrast": "response", "calibrate": False}


@pytest.mark.parametrize("base", ["smollm2", "./models/own", "Qwen/Qwen3-4B"])
def test_in_the_form_it_follows_the_base_model_there_and_back(base):
    begun = form_of()
    assert capo_on(begun) == PLAIN_FORM
    there = on_form(begun, ("base", base))
    assert capo_on(there) == USUAL
    assert f"--preset minutes --base {base}" in draft.command(draft.config_of(there))
    back = on_form(there, ("base", ""), ("base", "embedded"))  # emptied before it is chosen
    assert back == begun and draft.preset_of(back) == "minutes"


@pytest.mark.parametrize("name", USUAL)
def test_in_the_form_what_the_user_changed_stays(name):
    other = next(each for each in USUAL if each != name)
    chosen = on_form(form_of(), (f"capo.{name}", USUAL[name]))
    there = on_form(chosen, ("base", "smollm2"))
    assert capo_on(there) == USUAL
    back = on_form(there, ("base", "embedded"))
    assert capo_on(back) == {name: USUAL[name], other: PLAIN_FORM[other]}
    off = on_form(there, (f"capo.{name}", PLAIN_FORM[name]), ("base", "embedded"))
    again = on_form(off, ("base", "smollm2"))
    assert capo_on(again) == {name: PLAIN_FORM[name], other: USUAL[other]}
    # A preset begins anew.
    fresh = on_form(draft.with_preset(again, "minutes"), ("base", "smollm2"))
    assert capo_on(fresh) == USUAL


def test_in_the_form_the_papers_settings_stay_on_another_base():
    form = on_form(form_of("paper-qwen"), ("base", "smollm2"))
    assert capo_on(form) == PLAIN_FORM


@pytest.mark.parametrize(("path", "new"), [("sft.lora.kind", "dora"), ("sft.shared", True)])
def test_in_the_form_no_strength_is_chosen_where_none_can_be(path, new):
    form = on_form(form_of(suggested="smollm2"), (path, new))
    assert capo_on(form) == {"contrast": "explanation", "calibrate": False}
    before = draft.value(form_of(), path, {"sft.lora.kind": "lora", "sft.shared": False}[path])
    assert capo_on(on_form(form, (path, before))) == USUAL


def test_a_training_by_command_starts_from_it(monkeypatch, tmp_path):
    """The settings with which `train capo` asks for the run, on both kinds of base."""
    import typer
    from typer.testing import CliRunner

    from capo_core.cli import train
    from capo_core.runs.kinds import training

    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    asked = []

    class Asked(Exception):
        pass

    def run_training(request, *_, **__):
        if request.kind == "train_capo":
            asked.append(request.settings["config"])
            raise Asked
        return type("Run", (), {"run_id": "sft"})()

    monkeypatch.setattr(training, "run_training", run_training)
    app = typer.Typer()
    train.mount(app)

    def settings(*options) -> dict:
        words = ["train", "capo", "--dataset", "demo-nli", "--annotator", "A", *options]
        result = CliRunner().invoke(app, words)
        assert isinstance(result.exception, Asked), result.output
        return {name: asked[-1].get(name) for name in USUAL}

    plain = {"contrast": None, "calibrate": None}
    assert settings() == plain
    assert settings("--base", "smollm2") == USUAL
    assert settings("--base", "smollm2", "--contrast", "response", "--no-calibrate") == plain
