"""The losses are those of TRL's DPOTrainer, on its own batches, model and reference."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset
from helpers.architectures import tiny_model
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.examples import ResponseContrast, as_pairs
from capo_core.imitation.training.losses import contrastive_loss
from capo_core.imitation.training.objective import collate, desensitised
from capo_core.imitation.training.scoring.engines import GroupEngine, PairsEngine, TreeEngine

BETA, SMOOTHING, ANCHOR = 0.3, 0.1, 0.7
WORDS = [f"w{n}" for n in range(58)]
ITEMS = [  # prompt, chosen, rejected
    ("w1 w2 w3 w4", "w5 w6 w7", ["w8 w9", "w10 w11 w12 w13 w14", "w5 w6"]),
    ("w20 w21", "w22", ["w23 w24 w25"]),
    ("w30 w31 w32 w33 w34 w35", "w36 w37 w38 w39", ["w40", "w41 w42 w43"]),
]


def tokenizer() -> PreTrainedTokenizerFast:
    inside = Tokenizer(
        models.WordLevel({w: n for n, w in enumerate(["<p>", "<s>", "</s>", *WORDS])})
    )
    inside.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inside, pad_token="<p>", bos_token="<s>", eos_token="</s>"
    )


def contrasts() -> list[ResponseContrast]:
    def ids(text):
        return tuple(3 + WORDS.index(word) for word in text.split())

    return [
        ResponseContrast(
            Rendered(ids(prompt), tuple((*ids(text), 2) for text in (chosen, *rejected))),
            (0,),
            (tuple(range(1, 1 + len(rejected))),),
        )
        for prompt, chosen, rejected in ITEMS
    ]


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """TRL on the expanded pairs; its policy is moved away from its reference."""
    model = get_peft_model(
        tiny_model("llama"), LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")
    )
    rows = [
        {"prompt": prompt, "chosen": f" {chosen}", "rejected": f" {other}"}
        for prompt, chosen, rejected in ITEMS
        for other in rejected
    ]
    settings = DPOConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=len(rows),
        beta=BETA,
        label_smoothing=SMOOTHING,
        report_to="none",
        dataloader_pin_memory=False,
        train_sampling_strategy="sequential",
    )
    made = DPOTrainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer(),
    )
    torch.manual_seed(5)
    for name, weight in model.named_parameters():
        if ".default." in name:
            weight.data += 0.1 * torch.randn_like(weight)
    return made


def theirs(trainer, kind, weights, pairs=slice(None)) -> torch.Tensor:
    batch = next(iter(trainer.get_train_dataloader()))
    half = len(batch["input_ids"]) // 2
    chosen_then_rejected = {
        name: torch.cat([value[:half][pairs], value[half:][pairs]]) for name, value in batch.items()
    }
    trainer.loss_types, trainer.loss_weights = kind, weights
    return trainer._compute_loss(trainer.model, chosen_then_rejected, return_outputs=False)


def ours(trainer, kind, batch, engine, **settings):
    model, index = trainer.model, collate(batch)
    renders = [contrast.rendered for contrast in batch]
    model.set_adapter("ref")
    with torch.no_grad():
        reference = index.split(engine.score(model, renders, pad_id=0).log_probs)
    model.set_adapter("default")
    table = engine.score(model, renders, pad_id=0)
    tokens = index.split(table.tokens)
    return contrastive_loss(
        kind,
        *index.split(table.log_probs),
        *reference,
        index.mask,
        chosen_tokens=tokens[0],
        rejected_tokens=tokens[1],
        beta=BETA,
        **settings,
    )


def slopes(trainer, loss) -> torch.Tensor:
    trainer.model.zero_grad()
    loss.backward()
    weights = [w for name, w in trainer.model.named_parameters() if ".default." in name]
    return torch.cat([weight.grad.flatten() for weight in weights])


def test_the_tokens_are_the_same(trainer):
    batch = next(iter(trainer.get_train_dataloader()))
    pairs = [pair.rendered for contrast in contrasts() for pair in as_pairs(contrast)]
    wanted = [[*pair.prompt, *pair.responses[side]] for side in (0, 1) for pair in pairs]
    found = [
        row[mask.bool()].tolist()
        for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    assert found == wanted


@pytest.mark.parametrize(
    "engine", [PairsEngine(), GroupEngine(), TreeEngine()], ids=lambda e: e.name
)
def test_pairwise_is_dpo_on_the_expanded_pairs(trainer, engine):
    wanted = theirs(trainer, ["sigmoid"], [1.0])
    found = ours(trainer, "pairwise", contrasts(), engine)
    assert abs(wanted.item() - 0.6931) > 0.01  # the policy is not the reference
    assert found.loss.item() == pytest.approx(wanted.item(), abs=1e-6)
    torch.testing.assert_close(
        slopes(trainer, found.loss), slopes(trainer, wanted), atol=1e-6, rtol=1e-4
    )


@pytest.mark.parametrize("kind", ["pairwise", "listwise"])
def test_with_one_rejected_response_both_are_dpo(trainer, kind):
    for number, pair in enumerate(as_pairs(contrasts()[0])):
        wanted = theirs(trainer, ["sigmoid"], [1.0], slice(number, number + 1))
        found = ours(trainer, kind, [pair], TreeEngine())
        assert found.loss.item() == pytest.approx(wanted.item(), abs=1e-6)


def all_pairs() -> list[ResponseContrast]:
    return [pair for contrast in contrasts() for pair in as_pairs(contrast)]


def test_nca_with_one_rejected_response(trainer):
    wanted = theirs(trainer, ["nca_pair"], [1.0])
    found = ours(trainer, "nca", all_pairs(), TreeEngine())
    assert found.loss.item() == pytest.approx(wanted.item(), abs=1e-6)


@pytest.mark.parametrize("kind", ["pairwise", "listwise"])
def test_length_normalised_losses_are_trls(trainer, kind):
    wanted = theirs(trainer, ["sigmoid_norm"], [1.0])
    found = ours(trainer, kind, all_pairs(), TreeEngine(), length_norm=True)
    assert found.loss.item() == pytest.approx(wanted.item(), abs=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("engine", [TreeEngine(), PairsEngine()])
def test_the_length_desensitised_loss_is_trls(trainer, monkeypatch, alpha, engine):
    monkeypatch.setattr(trainer, "ld_alpha", alpha)
    wanted = theirs(trainer, ["sigmoid"], [1.0])
    their_slopes = slopes(trainer, wanted)
    batch = contrasts()
    renders = [contrast.rendered for contrast in batch]
    trainer.model.set_adapter("ref")
    with torch.no_grad():
        table = engine.score(trainer.model, renders, pad_id=0)
        index = collate(batch)
        reference = desensitised(table.by_place, table.tokens, index, alpha)
    trainer.model.set_adapter("default")
    table = engine.score(trainer.model, renders, pad_id=0)
    tokens = index.split(table.tokens)
    found = contrastive_loss(
        "pairwise", *desensitised(table.by_place, table.tokens, index, alpha), *reference,
        index.mask, chosen_tokens=tokens[0], rejected_tokens=tokens[1], beta=BETA,
    )  # fmt: skip
    assert found.loss.item() == pytest.approx(wanted.item(), abs=1e-6)
    torch.testing.assert_close(slopes(trainer, found.loss), their_slopes, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["pairwise", "listwise"])
def test_losses_with_label_smoothing_are_trls(trainer, kind):
    # Of TRL's losses "aot" has conservative DPO's form; for one pair its sorting does nothing.
    for number, pair in enumerate(all_pairs()):
        wanted = theirs(trainer, ["aot"], [1.0], slice(number, number + 1))
        found = ours(trainer, kind, [pair], TreeEngine(), label_smoothing=SMOOTHING)
        assert found.loss.item() == pytest.approx(wanted.item(), abs=1e-6)


def test_the_loss_with_an_anchor_is_trls(trainer):
    # TRL averages the anchor over a batch's tokens, we over its responses, so that parts of a
    # step add up: the same for a batch of one pair.
    for number, pair in enumerate(all_pairs()):
        wanted = theirs(trainer, ["sigmoid", "sft"], [1.0, ANCHOR], slice(number, number + 1))
        found = ours(trainer, "pairwise", [pair], TreeEngine(), nll=ANCHOR)
        assert found.loss.item() == pytest.approx(wanted.item(), abs=1e-6)
        assert found.loss.item() == pytest.approx(found.contrast + ANCHOR * found.nll, abs=1e-5)


def test_the_figures_are_trls(trainer):
    trainer._metrics["train"].clear()
    trainer.model.train()
    theirs(trainer, ["sigmoid"], [1.0])
    figures = {name: values[-1] for name, values in trainer._metrics["train"].items()}
    found = ours(trainer, "pairwise", contrasts(), TreeEngine())
    assert found.accuracy == pytest.approx(figures["rewards/accuracies"])
    margin = found.margin[~found.margin.isnan()].mean().item()
    assert margin == pytest.approx(figures["rewards/margins"], abs=1e-5)
    change = BETA * found.rejected_change
    assert change == pytest.approx(figures["rewards/rejected"], abs=1e-5)
