"""Value profiles: asked for, read in form, kept with where they come from, edited, refused."""

import json
import os
import signal
from dataclasses import replace

import pytest
from helpers.generation import split_dataset, tiny_base
from typer import Typer
from typer.testing import CliRunner

from capo_core.cli import generate
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.prompts import PROFILE_RULES, PROFILE_SECTIONS
from capo_core.imitation.prompting.value_profiles import (
    ProfileConfig,
    ReadProfile,
    edit,
    find_saved,
    read_profile,
    save_profile,
    saved_profiles,
    select_profile,
    usable_text,
    write_profile,
)
from capo_core.workspace import Workspace

GOOD = "Labels: prefers neutral\nManner: short\nRules: be short"
OTHER = "Labels: prefers contradiction\nManner: long\nRules: be long"
TEN = ProfileConfig(examples=10)


@pytest.mark.parametrize(
    ("written", "text", "problem"),
    [
        (GOOD, GOOD, ""),
        (f"<think>Labels: x</think>\nHere it is:\n\n{GOOD}\n\nGood luck!", GOOD, ""),
        (
            "**Labels:** prefers neutral\n\n- **Manner**: short\n\n3. Rules:\n  - be short",
            "Labels: prefers neutral\nManner: short\nRules: - be short",
            "",
        ),
        ("rules: c\nlabels: a\nmanner: b\nand more", "Labels: a\nManner: b and more\nRules: c", ""),
        ("", "", "empty"),
        ("They like neutral.", "", "none of the parts is there"),
        ("Labels: a\nManner: b", "", "the part 'Rules:' is missing"),
        ("Labels: a\nManner:\nRules: c", "", "the part 'Manner:' is empty"),
        ("Labels: a\nManner: b\nRules: c\nLabels: d", "", "the part 'Labels:' occurs twice"),
        ("<think>Labels: a\nManner: b\nRules: c", "", "only thinking"),
    ],
)
def test_reading_a_profile(written, text, problem):
    read = read_profile(written)
    assert (read.text, read.problem) == (text, problem)


def test_a_profile_says_where_it_comes_from():
    data, backend = split_dataset(), FakeBackend(lambda request: GOOD)
    profile = write_profile(data, "1", backend, TEN)
    assert profile.text == usable_text(profile) == GOOD
    assert (profile.annotator, profile.model, profile.settings["seed"]) == ("1", "fake", 42)
    assert profile.fingerprint == data.fingerprint and profile.made
    (request,) = backend.asked
    train = set(data.items.loc[data.items["split"] == "train", "item_id"])
    assert len(set(profile.example_items)) == 10 and set(profile.example_items) <= train
    for item_id in profile.example_items:  # what is named is what was shown
        text = data.items.set_index("item_id").loc[item_id, "text_a"]
        assert text in request.prompt.text
    assert request.prompt.text.count("Said by 1") == 10
    assert "Said by 2" not in request.prompt.text
    other = write_profile(data, "1", FakeBackend(lambda request: GOOD), ProfileConfig(10, seed=1))
    assert other.example_items != profile.example_items


def test_a_model_that_does_not_keep_to_the_form_is_asked_again_and_then_reported():
    said = iter(["They like neutral.", "Labels: a\nManner: b", GOOD])
    backend = FakeBackend(lambda request: next(said))
    profile = write_profile(split_dataset(), "1", backend, TEN)
    assert profile.text == GOOD and profile.problem == "" and len(profile.raw) == 3
    assert len({request.seed for request in backend.asked}) == 3
    # The same examples would lead a small model astray again.
    assert len({request.prompt.text for request in backend.asked}) == 3
    failed = write_profile(split_dataset(), "1", FakeBackend(lambda request: "Hm."), TEN)
    assert (failed.text, failed.problem) == ("", "none of the parts is there")
    assert failed.raw == ("Hm.",) * TEN.tries
    with pytest.raises(ConfigError, match="cannot be used: none of the parts"):
        usable_text(failed)


def test_a_profile_that_was_cut_is_not_used():
    config = ProfileConfig(10, max_new_tokens=5)  # the fake counts spaces: GOOD has 6 parts
    profile = write_profile(split_dataset(), "1", FakeBackend(lambda request: GOOD), config)
    assert (profile.text, profile.problem) == ("", "cut after 5 tokens")


def test_fewer_examples_where_the_context_holds_no_more():
    class Small(FakeBackend):
        def excess(self, prompt, decoding):
            return max(0, prompt.text.count("Said by") - self.room)

    backend = Small(lambda request: GOOD)
    backend.room = 4
    profile = write_profile(split_dataset(), "1", backend, TEN)
    assert len(profile.example_items) == backend.asked[0].prompt.text.count("Said by") == 4
    backend.room = 0
    with pytest.raises(ConfigError, match="not even one example"):
        write_profile(split_dataset(), "1", backend, TEN)
    with pytest.raises(ConfigError, match="has 20 examples, fewer than 50"):
        write_profile(split_dataset(), "1", backend, ProfileConfig())


def test_kept_found_edited_and_kept_again(tmp_path):
    data, workspace, backend = split_dataset(), Workspace(tmp_path), FakeBackend(lambda r: GOOD)
    profile = write_profile(data, "1", backend, TEN)
    assert find_saved(data, "1", backend, TEN, workspace) is None
    save_profile(profile, workspace)
    assert (
        select_profile(data, "1", workspace)
        == profile
        == find_saved(data, "1", backend, TEN, workspace)
    )
    changed = edit(profile, OTHER)
    save_profile(changed, workspace)
    found = select_profile(data, "1", workspace)
    assert (found.text, found.edited, found.problem) == (OTHER, True, "")
    assert [(each.text, each.made) for each in found.earlier] == [(GOOD, profile.made)]
    twice = edit(found, GOOD)
    assert [each.text for each in twice.earlier] == [GOOD, OTHER]
    assert edit(found, OTHER) == found
    with pytest.raises(ConfigError, match="no profile: the part 'Rules:' is missing"):
        edit(found, "Labels: a\nManner: b")
    # Of other data, another annotator or another model there is none yet.
    for other, who, model in ((split_dataset(test=7), "1", ""), (data, "2", ""), (data, "1", "x")):
        with pytest.raises(ConfigError, match="there is no profile"):
            select_profile(other, who, workspace, model=model)
    save_profile(write_profile(data, "1", FakeBackend(lambda r: OTHER, "second"), TEN), workspace)
    with pytest.raises(ConfigError, match="there are 2 profiles"):
        select_profile(data, "1", workspace)
    assert select_profile(data, "1", workspace, model="second").text == OTHER
    path = save_profile(profile, workspace)
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        saved_profiles(data, workspace)


def test_ctrl_c_keeps_the_profiles_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    Catalog(Workspace.default()).add(split_dataset())
    backend = FakeBackend()
    monkeypatch.setattr(generate, "backend_of", lambda *_: backend)
    app = Typer()
    generate.mount(app)
    line = ["profile", "write", "--dataset", "small", "--annotator", "all", "--examples", "10"]

    def ending(request):
        if len(backend.asked) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return GOOD if len(backend.asked) != 2 else "Hm."  # so that it is asked once more

    backend._answer = ending
    stopped = CliRunner().invoke(app, line)
    assert stopped.exit_code == 2 and "1 of 2 profiles are saved" in stopped.stderr
    assert "same command again" in stopped.stderr
    assert [each.annotator for each in saved_profiles(split_dataset(), Workspace.default())] == [
        "1"
    ]
    assert CliRunner().invoke(app, line).exit_code == 0
    assert len(backend.asked) == 3  # the first profile was not written again


def test_the_commands_make_show_and_edit_profiles(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    Catalog(Workspace.default()).add(split_dataset())
    backend = FakeBackend(lambda request: GOOD)
    monkeypatch.setattr(generate, "backend_of", lambda *_: backend)
    app = Typer()
    generate.mount(app)

    def call(*arguments, code=0, text=None):
        result = CliRunner().invoke(app, [*arguments, "--dataset", "small"], input=text)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    call("profile", "write", "--annotator", "all", "--examples", "10")
    call("profile", "write", "--annotator", "1", "--examples", "10")  # is there already
    assert len(backend.asked) == 2
    assert json.loads(call("profile", "list", "--json").stdout)[0]["text"] == GOOD
    call("profile", "edit", "--annotator", "1", text=OTHER)
    shown = call("profile", "show", "--annotator", "1").stdout
    assert "(edited)" in shown and OTHER in shown and GOOD in shown
    assert "no profile" in call("profile", "edit", "--annotator", "1", text="x", code=2).stderr
    backend._answer = lambda request: "Label: neutral\nExplanation: So."
    call("generate", "--method", "profile", "--annotator", "1", "2")
    asked = [request.prompt.text for request in backend.asked[2:]]
    assert len(asked) == 12
    assert all(OTHER in text for text in asked[:6]) and all(GOOD in text for text in asked[6:])
    backend._answer = lambda request: "Hm."
    failed = call("profile", "write", "--annotator", "2", "--examples", "9", code=2)
    assert "wrote no profile in form for 2" in failed.stderr
    again = call("profile", "write", "--annotator", "2", "--examples", "9", "--again", code=2)
    assert "wrote no profile" in again.stderr


SECTIONS = (
    "Label bias: prefers neutral.\nExplanation manner: short, hedged.\nImitation rules:\n"
    "1. Say maybe.\n2. Be short."
)


@pytest.mark.parametrize(
    "written",
    [
        SECTIONS,
        "Here it is:\n\n**Label bias:** prefers neutral.\n\n**Explanation manner:** short,\nhedged."
        "\n\n**Imitation rules:**\n\n1) Say maybe.\n\n2) Be short.\n\nI hope this helps!",
        "Imitation rules:\n- Say maybe.\n- Be short.\n- Say maybe.\n\n"
        "Label bias: prefers neutral.\nExplanation manner: short, hedged.",
    ],
)
def test_a_profile_in_sections_is_read_with_numbered_rules(written):
    assert read_profile(written) == ReadProfile(SECTIONS)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (SECTIONS.replace("1. Say maybe.\n2. Be short.", "1.\n2."), "is empty"),
        (SECTIONS.replace("Explanation manner", "Style"), "'Explanation manner:' is missing"),
    ],
)
def test_a_profile_in_sections_with_a_part_missing_is_none(written, problem):
    assert problem in read_profile(written).problem


def test_a_model_on_this_machine_fills_in_the_parts(tmp_path):
    tiny_base(tmp_path / "base", positions=4096)
    backend = TransformersBackend(load_base_model(str(tmp_path / "base"), device="cpu"))
    config = ProfileConfig(examples=3, max_new_tokens=12)
    found = write_profile(split_dataset(), "1", backend, config)
    assert found.problem == "" and len(found.example_items) == 3
    assert [part for part in PROFILE_SECTIONS if f"{part}" in found.text] == [*PROFILE_SECTIONS]
    rules = found.text.partition(f"{PROFILE_SECTIONS[-1]}\n")[2].splitlines()
    assert [rule[:3] for rule in rules] == [f"{n}. " for n in range(1, len(rules) + 1)]
    assert 1 <= len(rules) <= PROFILE_RULES
    assert found == replace(write_profile(split_dataset(), "1", backend, config), made=found.made)
    other = write_profile(split_dataset(), "1", backend, replace(config, seed=1))
    assert other.text != found.text
