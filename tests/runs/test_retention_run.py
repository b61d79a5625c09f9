"""Retention as a run and a command: the ends are the trained models; it can be interrupted."""

import json

import numpy as np
import pytest
import typer
from helpers.tiny_training import capo_config, sft_config, tiny_base, tiny_dataset, train
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from capo_core.cli import retention as retention_command
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError, RunError, Stopped
from capo_core.evaluation.general_text import GUIDE, general_text, guide_text
from capo_core.evaluation.retention import (
    GENERAL,
    LABELS,
    OTHER_TASK,
    OTHERS,
    OWN,
    Retention,
    RetentionConfig,
    load,
)
from capo_core.imitation.embedded_base.corpus import read_corpus
from capo_core.imitation.models.adapters import WEIGHTS, load_adapter
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.prompts import render, write_response, zero_shot
from capo_core.imitation.prompting.responses import items_of, responses
from capo_core.imitation.training.scoring.engines import PairsEngine
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs import checks, kinds
from capo_core.runs.kinds import retention
from capo_core.runs.request import RunRequest
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace

FEW = {"strengths": [0.0, 0.5, 1.0], "max_new_tokens": 12, "passages": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workspace with an SFT and a CAPO training for A, and some general text."""
    root = tmp_path_factory.mktemp("retention")
    base, data, workspace = tiny_base(root / "llama"), tiny_dataset(), Workspace(root / "w")
    Catalog(workspace).add(data)
    sft = train(workspace, data, sft_config(), base)
    capo = train(workspace, data, capo_config(epochs=1), sft)
    text = root / "general.txt"
    text.write_text("\n".join(f"The {n}th boat waits on the river." for n in range(30)))
    return workspace, data, base, sft, capo, text


def settings_of(data, run, text, **more) -> dict:
    return {"dataset": data.name, "target": "A", "run": run.run_id, "text": str(text),
            "config": FEW, **more}  # fmt: skip


def perplexities(data, model, base) -> dict[str, float]:
    """Of the validation responses, by the plain engine, response by response."""
    items = {item.item_id: item for item in items_of(data, "validation")}
    sums = {OWN: [0.0, 0], OTHERS: [0.0, 0]}
    for each in responses(data, split="validation"):
        prompt = zero_shot(data.task, items[each.item_id])
        rendered = render(prompt, [write_response(each.label, each.explanation)], base.tokenizer)
        table = PairsEngine().score(model.eval(), [rendered], pad_id=base.pad_id)
        part = sums[OWN if each.annotator_id == "A" else OTHERS]
        part[0] -= float(table.log_probs.sum().detach())
        part[1] += len(rendered.responses[0])
    return {name: np.exp(nats / tokens) for name, (nats, tokens) in sums.items()}


def test_the_ends_are_base_sft_and_capo(trained):
    workspace, data, base, sft, capo, text = trained
    folder = RunFolder(workspace.runs / "all-of-it")
    asked = RunRequest("retention", settings_of(data, capo, text))
    words = kinds.execute(asked, workspace, folder, silent)
    found = load(folder.path)
    assert words == found.sentence and folder.result["sentence"] == words
    assert found.runs == {"sft": sft.run_id, "capo": capo.run_id} and found.n_items == 4
    ways = found.curve(OWN)[["stage", "strength", "at"]].to_numpy().tolist()
    assert ways == [
        ["sft", 0, 0], ["sft", 0.5, 0.5], ["sft", 1, 1], ["capo", 0.5, 1.5], ["capo", 1, 2],
    ]  # fmt: skip
    for at, adapter in ((0, None), (1, sft.adapter), (2, capo.adapter)):
        fresh = load_base_model(base)
        model = load_adapter(fresh, adapter) if adapter else fresh.model
        for name, expected in perplexities(data, model, fresh).items():
            value = found.curve(name).set_index("at").at[at, "value"]
            assert value == pytest.approx(expected, rel=1e-4), (at, name)
    general = found.curve(GENERAL)
    assert set(general["n"]) == {8} and found.general == "text of general.txt"
    assert general["value"].nunique() > 3 and (general["low"] < general["value"]).all()
    assert set(found.curve(LABELS)["n"]) == {4}


def test_labels_are_chosen_by_their_scores_as_a_generation_does(trained):
    # The tiny base writes no readable label; chosen by score every answer has one.
    workspace, data, _, sft, _, text = trained
    folder = RunFolder(workspace.runs / "by-scores")
    retention.measure_retention(data, settings_of(data, sft, text), workspace, folder, silent)
    rows = [json.loads(line) for line in (folder.path / "outputs.jsonl").read_text().splitlines()]
    labels = {f"Label: {label}" for label in data.task.scale.labels}
    assert all(text.split("\n")[0] in labels for row in rows for text in row["answers"])
    assert load(folder.path).label_choice == "scores"
    # Run names are those of former builds; a result of theirs is read as what it was.
    assert "label_choice" not in RetentionConfig().to_dict()
    former = json.loads((folder.path / "retention.json").read_text())
    del former["label_choice"]
    assert Retention.from_dict(former).label_choice == "generated"


def test_a_measurement_that_a_former_build_began_goes_on_as_it_began(trained):
    workspace, data, _, sft, _, text = trained
    asked = {**settings_of(data, sft, text), "config": {**FEW, "label_choice": "generated"}}
    former, folder = RunFolder(workspace.runs / "former"), RunFolder(workspace.runs / "goes-on")
    retention.measure_retention(data, asked, workspace, former, silent)
    lines = (former.path / "outputs.jsonl").read_bytes().splitlines(keepends=True)
    folder.path.mkdir()
    (folder.path / "outputs.jsonl").write_bytes(lines[0])
    retention.measure_retention(data, settings_of(data, sft, text), workspace, folder, silent)
    assert (folder.path / "outputs.jsonl").read_bytes() == b"".join(lines)
    assert load(folder.path).label_choice == "generated"


def test_a_stopped_measurement_goes_on_to_the_same_figures(trained):
    workspace, data, _, sft, _, text = trained
    settings = settings_of(data, sft, text)
    folders = [RunFolder(workspace.runs / name) for name in ("straight", "broken")]

    def stop(what: str, share: float) -> None:
        if share > 0.42:  # in the second of three points
            raise Stopped("enough")

    retention.measure_retention(data, settings, workspace, folders[0], silent)
    with pytest.raises(Stopped):
        retention.measure_retention(data, settings, workspace, folders[1], stop)
    kept = (folders[1].path / "outputs.jsonl").read_bytes()
    assert kept.count(b"\n") == 1 and not folders[1].done
    retention.measure_retention(data, settings, workspace, folders[1], silent)
    assert (folders[1].path / "outputs.jsonl").read_bytes().startswith(kept)
    one, two = (load(folder.path) for folder in folders)
    assert one.to_dict() == two.to_dict() and one.runs == {"sft": sft.run_id}
    # Other text is another measurement.
    other = text.with_name("other.txt")
    other.write_text(text.read_text().replace("boat", "ship"))
    with pytest.raises(RunError, match="started with another configuration: text"):
        settings = settings_of(data, sft, other)
        retention.measure_retention(data, settings, workspace, folders[1], silent)


def test_what_cannot_be_measured_is_told(trained, tmp_path):
    workspace, data, _, sft, capo, text = trained
    folder = RunFolder(workspace.runs / "never")

    def measured(**more):
        settings = {**settings_of(data, capo, text), **more}
        retention.measure_retention(data, settings, workspace, folder, silent)

    with pytest.raises(ConfigError, match="no finished capo run for annotator 'B'"):
        measured(target="B")
    with pytest.raises(ConfigError, match="there is no annotator 'all'"):
        measured(target="all")  # one adapter may serve all, but one is measured at a time
    with pytest.raises(RunError, match="no run named"):
        measured(run="nobody-knows")
    with pytest.raises(DataError, match="cannot be read"):
        measured(text=str(tmp_path / "none.txt"))
    with pytest.raises(ConfigError, match="the base reads 512"):
        measured(config={**FEW, "max_new_tokens": 500})
    for config, match in (({"strengths": [0.5]}, "strengths"), ({"charm": 1}, "charm")):
        with pytest.raises((ConfigError, RunError), match=match):
            checks.check(RunRequest("retention", settings_of(data, sft, text, config=config)))
    with pytest.raises(ConfigError, match="needs a finished training"):
        checks.check(RunRequest("retention", settings_of(data, sft, text, target="")))
    # The SFT run was trained anew since: CAPO did not begin with this one.
    path = sft.adapter / WEIGHTS
    before = path.read_bytes()
    save_file({name: 2 * each for name, each in load_file(path).items()}, path)
    try:
        with pytest.raises(RunError, match="has changed since"):
            measured()
    finally:
        path.write_bytes(before)


def test_without_general_text_the_others_responses_say_what_is_kept(trained):
    # As a build measured that knew neither the guide's text nor another task.
    workspace, data, _, sft, _, _ = trained
    folder = RunFolder(workspace.runs / "nothing-general")
    config = {"strengths": [0, 1], "items": 3, "max_new_tokens": 8}
    asked = {**settings_of(data, sft, ""), "config": config}
    retention.measure_retention(data, asked, workspace, folder, silent)
    found = load(folder.path)
    assert found.unit_of_kept == OTHERS and found.texts == "" and found.n_items == 3
    assert not {GENERAL, OTHER_TASK} & set(found.points["measure"])
    assert "another task" not in found.sentence


def test_a_corpus_is_cut_into_passages_whose_first_token_is_given(trained):
    *_, base, _, _, text = trained
    loaded, corpus = load_base_model(base), read_corpus(text)
    found = general_text(loaded, 10, corpus)
    assert len(found.passages) == 10
    first = loaded.tokenizer(corpus.texts[0])["input_ids"]
    assert [*found.passages[0].prompt, *found.passages[0].responses[0]] == first
    assert general_text(loaded, 10) == type(found)("", ())


@pytest.mark.skipif(not (EMBEDDED_BASE / "build.json").is_file(), reason="no embedded base here")
def test_the_embedded_base_knows_its_own_general_text():
    base = load_base_model("embedded")
    found = general_text(base, 8)
    assert len(found.passages) == 8 and "never read" in found.name
    texts = [base.tokenizer.decode(each.prompt) for each in found.passages]
    assert sum("This is how one annotator answered" in text for text in texts) == 4
    assert sum("paraphrase" in text.split("\n")[0] for text in texts) == 4
    assert general_text(base, 8) == found != general_text(base, 8, seed=1)


def test_another_task_and_english_are_measured_where_nothing_is_named(trained, monkeypatch):
    workspace, _, base, sft, _, _ = trained
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    app = typer.Typer()
    retention_command.mount(app)
    app.command("other")(lambda: None)
    line = ["retention", "--dataset", "tiny", "--run", sft.run_id, "--strengths", "0", "1",
            "--items", "3", "--passages", "5", "--max-new-tokens", "8"]  # fmt: skip
    done = CliRunner().invoke(app, [*line, "--json"])
    assert done.exit_code == 0, done.output
    found = Retention.from_dict(json.loads(done.stdout))
    assert found.general == GUIDE and set(found.curve(GENERAL)["n"]) == {5}
    other = Catalog(workspace).load("demo-paraphrase")
    assert other.name in found.other_task and "simulated annotators" in found.other_task
    # The figure at the ends is that of base and adapter, response by response.
    chosen = np.random.default_rng(0)
    ids = list(dict.fromkeys(each.item_id for each in responses(other, split="validation")))
    ids = [ids[at] for at in sorted(chosen.choice(len(ids), 3, replace=False).tolist())]
    items = {item.item_id: item for item in items_of(other, "validation")}
    for at, adapter in ((0, None), (1, sft.adapter)):
        fresh = load_base_model(base)
        model = load_adapter(fresh, adapter) if adapter else fresh.model
        nats = tokens = 0
        for each in responses(other, split="validation"):
            if each.item_id in ids:
                prompt, text = (
                    zero_shot(other.task, items[each.item_id]),
                    (each.label, each.explanation),
                )
                rendered = render(prompt, [write_response(*text)], fresh.tokenizer)
                table = PairsEngine().score(model.eval(), [rendered], pad_id=fresh.pad_id)
                nats -= float(table.log_probs.sum().detach())
                tokens += len(rendered.responses[0])
        value = found.curve(OTHER_TASK).set_index("at").at[at, "value"]
        assert value == pytest.approx(np.exp(nats / tokens), rel=1e-4), at
    assert (
        "another task's responses" in found.sentence and "what other annotators" in found.sentence
    )
    shown = CliRunner().invoke(app, line).stdout.replace("\n", " ")
    assert found.sentence[:40] in shown and "3 validation items" in shown
    bad = CliRunner().invoke(app, [*line, "--strengths", "0.5"])
    assert bad.exit_code == 2 and "ascending from 0 to 1" in bad.stderr
    assert f"General text: {GUIDE}." in shown and "Other task:" in shown
    none = CliRunner().invoke(app, [*line, "--json", "--other-task", "none"])
    without = Retention.from_dict(json.loads(none.stdout))
    assert without.other_task == "" and without.curve(OTHER_TASK).empty
    assert without.general == GUIDE and "another task" not in without.sentence
    same = CliRunner().invoke(app, [*line, "--other-task", "tiny"])
    assert same.exit_code == 2 and "same task" in same.stderr


def test_the_guides_prose_has_no_marks_of_its_pages():
    texts = guide_text().texts
    assert len(texts) > 60
    assert not [text for text in texts if "`" in text or "**" in text or "](" in text]
