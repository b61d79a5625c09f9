"""Training: what divides it, interrupts it or ends it changes nothing in what is learned."""

import json
import threading

import pytest
import torch
from helpers.provenance import provenance_in
from helpers.tiny_training import capo_config, sft_config, tiny_dataset, weights

from capo_core import __version__
from capo_core.errors import Stopped
from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.sft import train_sft
from capo_core.run_folder import RunFolder


@pytest.fixture(scope="module")
def dataset():
    return tiny_dataset()


@pytest.fixture(scope="module")
def sft(base, dataset, tmp_path_factory) -> RunFolder:
    """A finished SFT run of annotator A."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "sft")
    train_sft(dataset, "A", sft_config(sample_every=4), base, folder)
    return folder


def apart(one: RunFolder, other: RunFolder) -> float:
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    return max((a[name] - b[name]).abs().max().item() for name in a)


def stop_at(step: int):
    """A progress that asks to stop during step `step` (1, 2, …)."""

    def progress(what: str, share: float) -> None:
        if f"step {step} of" in what:
            raise Stopped("enough")

    return progress


def steps_in(folder: RunFolder) -> list[int]:
    return [event["step"] for event in folder.events("step")]


def test_sft_learns_and_tells_what_happened(sft, dataset):
    result = sft.result
    # 14 items in steps of 4: 4 steps an epoch, 2 epochs.
    assert result["steps"] == result["planned_steps"] == 8
    assert (result["training_items"], result["validation_items"]) == (14, 4)
    validation = [event["loss"] for event in sft.events("validation")]
    assert len(validation) == 3 and validation[-1] < validation[0]
    assert result["validation_loss"] == min(validation)
    assert steps_in(sft) == list(range(1, 9))
    assert {"loss", "learning_rate", "grad_norm", "tokens_per_s", "seconds"} <= set(
        sft.events("step")[0]
    )
    samples = sft.events("sample")
    assert [(event["step"], event["item_id"]) for event in samples] == [
        (0, "i14"),
        (0, "i16"),
        (4, "i14"),
        (4, "i16"),
        (8, "i14"),
        (8, "i16"),
    ]
    card = (sft.adapter / "README.md").read_text()
    assert dataset.fingerprint in card and f"{result['validation_loss']:.4f}" in card
    found = provenance_in(card.encode(), "md")
    assert (found.dataset, found.data, found.version) == (dataset.name, "people", __version__)
    origin = json.loads((sft.adapter / "capo.json").read_text())["provenance"]
    assert origin["seeds"] == [0] and origin["n"] == {"training item": 14, "validation item": 4}
    assert not sft.checkpoint.exists()


def test_the_loss_is_the_mean_over_response_tokens(base, dataset, tmp_path):
    """Against the model itself: a fresh adapter changes nothing, so that the loss before the first
    step is that of the bare base."""
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.prompting.prompts import render, write_response, zero_shot
    from capo_core.imitation.prompting.responses import history, item_of

    folder = RunFolder(tmp_path / "run")
    train_sft(dataset, "B", sft_config(epochs=1), base, folder)
    loaded = load_base_model(base)
    total, count = 0.0, 0
    for each in history(dataset, "B", split="validation").responses:
        prompt = zero_shot(dataset.task, item_of(dataset, each.item_id))
        text = write_response(each.label, each.explanation)
        rendered = render(prompt, [text], loaded.tokenizer)
        ids = torch.tensor([rendered.prompt + rendered.responses[0]])
        logits = loaded.model(ids).logits[0, len(rendered.prompt) - 1 : -1]
        target = torch.tensor(rendered.responses[0])
        total += torch.nn.functional.cross_entropy(logits, target, reduction="sum").item()
        count += len(target)
    assert folder.events("validation")[0]["loss"] == pytest.approx(total / count, abs=1e-5)


def test_capo_begins_at_the_sft_adapter_and_widens_the_margin(sft, dataset, tmp_path):
    folder = RunFolder(tmp_path / "capo")
    result = train_capo(dataset, "A", capo_config(), sft, folder)
    first, last = folder.events("validation")[0], folder.events("validation")[-1]
    # Policy and reference are the same at first: every margin is 0 and every pair's loss log 2.
    assert first["loss"] == pytest.approx(0.6931471805599453, abs=1e-6)
    assert first["margin"] == pytest.approx(0, abs=1e-6)
    assert last["margin"] > 0.01 and last["loss"] < first["loss"]
    assert result.engine == "tree"
    step = folder.events("step")[-1]
    assert {"margin", "reward_accuracy", "chosen_change", "rejected_change"} <= set(step)
    assert apart(sft, folder) > 1e-4
    assert folder.config["sft"]["run"] == sft.run_id


def test_accumulation_changes_nothing(base, sft, dataset, tmp_path):
    """4 items at once, or 2 × 2: the same for both losses, though their units differ."""
    for number in (1, 2):
        folder = RunFolder(tmp_path / f"sft{number}")
        train_sft(dataset, "A", sft_config(accumulation=number), base, folder)
        folder = RunFolder(tmp_path / f"capo{number}")
        config = capo_config(accumulation=number, nll=0.2)
        train_capo(dataset, "A", config, sft, folder)
    assert apart(RunFolder(tmp_path / "sft1"), RunFolder(tmp_path / "sft2")) < 1e-6
    assert apart(RunFolder(tmp_path / "capo1"), RunFolder(tmp_path / "capo2")) < 1e-6


def test_gradient_checkpointing_changes_nothing(base, dataset, tmp_path):
    """But for float32's rounding: with it, each row computes the prompts' common beginning itself,
    so that a gradient's sum over tokens is rounded in another order."""
    folders = [RunFolder(tmp_path / str(which)) for which in (False, True)]
    for folder, which in zip(folders, (False, True), strict=True):
        config = sft_config(gradient_checkpointing=which, epochs=1)
        train_sft(dataset, "A", config, base, folder)
    one, other = ([each["loss"] for each in folder.events("step")] for folder in folders)
    assert one == pytest.approx(other, rel=2**-22)  # measured: one unit in the last place, of 6.1
    # AdamW moves a weight by about the learning rate a step, whatever the gradient's size, so that
    # a relative error of the gradient is one of the way: of a sum of n terms at most n · 2^-24.
    # That is 5.0e-7 here; measured over three seeds 8.0e-8 to 1.12e-7, on ways of up to 2e-2.
    terms = folders[1].result["tokens"]  # of all steps
    assert apart(*folders) < config.learning_rate * terms * 2**-24 < 1e-6


@pytest.mark.parametrize("step", [1, 3, 4, 7])
def test_stopped_and_gone_on_with_is_as_if_never_stopped(base, sft, dataset, tmp_path, step):
    """Bit for bit, with dropout too, wherever it was stopped; and nothing stands twice."""
    from capo_core.imitation.training.config import AdapterSettings

    config = sft_config(lora=AdapterSettings(rank=4, alpha=8, dropout=0.2), checkpoint_every=3)
    straight = RunFolder(tmp_path / "straight")
    train_sft(dataset, "A", config, base, straight)
    broken = RunFolder(tmp_path / "broken")
    with pytest.raises(Stopped, match=f"after step {step} of 8"):
        train_sft(dataset, "A", config, base, broken, progress=stop_at(step))
    assert not broken.done and broken.checkpoint.exists()
    train_sft(dataset, "A", config, base, broken)
    assert apart(straight, broken) == 0
    assert steps_in(broken) == list(range(1, 9))
    told = [
        [
            (event["step"], event["loss"])
            for event in folder.events()
            if event["event"] in ("step", "validation")
        ]
        for folder in (straight, broken)
    ]
    assert told[0] == told[1]
    assert [event["step"] for event in broken.events("resumed")] == [step]


def test_capo_stopped_by_its_flag_goes_on(sft, dataset, tmp_path):
    straight, broken = RunFolder(tmp_path / "straight"), RunFolder(tmp_path / "broken")
    train_capo(dataset, "A", capo_config(), sft, straight)

    def progress(what: str, share: float) -> None:
        if "step 5 of" in what:
            broken.ask_to_stop()

    with pytest.raises(Stopped):
        train_capo(dataset, "A", capo_config(), sft, broken, progress=progress)
    train_capo(dataset, "A", capo_config(), sft, broken)
    assert apart(straight, broken) == 0
    assert steps_in(broken) == list(range(1, 9))


@pytest.mark.parametrize("at", [1, 5])
def test_samples_stand_once_wherever_it_was_stopped_and_change_nothing(base, dataset, tmp_path, at):
    config = sft_config(sample_every=3, samples=1)
    plain, straight, broken = (RunFolder(tmp_path / name) for name in ("a", "b", "c"))
    train_sft(dataset, "A", sft_config(), base, plain)
    train_sft(dataset, "A", config, base, straight)

    def stop(what: str, share: float) -> None:
        if f"step {at} of" in what:
            raise Stopped("enough")

    with pytest.raises(Stopped, match=f"after step {at}"):
        train_sft(dataset, "A", config, base, broken, progress=stop)
    train_sft(dataset, "A", config, base, broken)
    assert apart(straight, broken) == 0 == apart(plain, straight)
    # Eight steps: also after the last, which is no multiple of three.
    told = [
        [(each["step"], each["text"]) for each in folder.events("sample")]
        for folder in (straight, broken)
    ]
    assert [step for step, _ in told[0]] == [0, 3, 6, 8] and told[0] == told[1]


def test_a_training_killed_before_it_saved_looks_again_from_the_start(base, dataset, tmp_path):
    config = sft_config(sample_every=3, samples=1, checkpoint_every=100)
    straight, broken = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    train_sft(dataset, "A", config, base, straight)

    def die(what: str, share: float) -> None:
        if "step 3 of" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_sft(dataset, "A", config, base, broken, progress=die)
    assert [event["step"] for event in broken.events("sample")] == [0]
    train_sft(dataset, "A", config, base, broken)
    assert apart(straight, broken) == 0
    assert [event["step"] for event in broken.events("sample")] == [0, 3, 6, 8]


def test_a_finished_run_is_not_trained_again(sft, base, dataset):
    before = (sft.adapter / WEIGHTS).stat().st_mtime_ns

    def progress(what: str, share: float) -> None:
        raise AssertionError("something was computed")

    config = sft_config(sample_every=4)
    result = train_sft(dataset, "A", config, base, sft, progress=progress)
    assert result.steps == 8
    assert (sft.adapter / WEIGHTS).stat().st_mtime_ns == before


def test_the_best_state_is_kept_and_patience_ends(base, dataset, tmp_path):
    """A wild learning rate makes validation worse: what is kept is the state before."""
    folder = RunFolder(tmp_path / "wild")
    config = sft_config(
        epochs=20, learning_rate=3.0, schedule="constant", warmup_share=0, patience=1,
        sample_every=1000, samples=1,
    )  # fmt: skip
    result = train_sft(dataset, "A", config, base, folder)
    losses = {event["step"]: event["loss"] for event in folder.events("validation")}
    assert result.ended_early and result.steps < result.planned_steps
    assert result.kept_step == min(losses, key=losses.get)
    # Looked at before the first step and after the last, which was not planned to be the last.
    assert [event["step"] for event in folder.events("sample")] == [0, result.steps]
    assert result.validation_loss == min(losses.values())
    if result.kept_step == 0:  # B = 0 at the beginning
        assert all(not each.any() for name, each in weights(folder).items() if "lora_B" in name)


def test_one_adapter_for_all_names_the_annotator(base, dataset, tmp_path):
    folder = RunFolder(tmp_path / "shared")
    result = train_sft(dataset, "ignored", sft_config(shared=True, epochs=1), base, folder)
    assert (result.target, result.training_items) == ("all", 3 * 14)
    capo = RunFolder(tmp_path / "capo")
    result = train_capo(dataset, "", capo_config(shared=True, epochs=1), folder, capo)
    assert result.training_items == 3 * 14


def test_without_validation_the_last_state_is_kept(base, tmp_path):
    folder = RunFolder(tmp_path / "run")
    result = train_sft(tiny_dataset(12, 0, 4), "A", sft_config(), base, folder)
    assert (result.validation_loss, result.kept_step, result.steps) == (None, 6, 6)


def test_readers_see_whole_events_while_it_runs(base, dataset, tmp_path):
    folder, done, seen = RunFolder(tmp_path / "run"), threading.Event(), []

    def read() -> None:
        while not done.is_set():
            seen.append(len(folder.events()))

    reader = threading.Thread(target=read)
    reader.start()
    train_sft(dataset, "A", sft_config(), base, folder)
    done.set()
    reader.join()
    assert seen == sorted(seen) and len(folder.events()) > 8


def test_what_comes_before_the_first_step_has_its_words(base, dataset, tmp_path):
    heard = []
    config = sft_config(sample_every=3, samples=1, epochs=1)
    folder = RunFolder(tmp_path / "said")
    train_sft(dataset, "A", config, base, folder, progress=lambda what, _: heard.append(what))
    words = list(dict.fromkeys(what.split(" of ")[0] for what in heard))
    assert words[:4] == [
        "reading the base model",
        "validating before the first step",
        "writing samples before the first step",
        "step 1",
    ]


def test_a_resumed_run_keeps_its_number_type(tmp_path):
    """The precision auto measures the machine, and otherwise while others work on it."""
    from capo_core.imitation.training.stage import same_precision

    folder = RunFolder(tmp_path / "run")
    assert same_precision(sft_config(), folder).precision == "auto"
    folder.path.mkdir()
    folder.log("engine", engine="group", precision="bfloat16")
    assert same_precision(sft_config(), folder) == sft_config(precision="bf16")
    assert same_precision(sft_config(precision="fp32"), folder).precision == "fp32"
