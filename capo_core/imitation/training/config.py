"""Settings of training, one class a stage; saved with each run.

What both stages share is in `TrainConfig`. Nothing here needs torch.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from capo_core.errors import ConfigError
from capo_core.imitation.generation.label_prior import LABEL_PRIORS
from capo_core.imitation.models.registry import EMBEDDED_NAME
from capo_core.imitation.pairs.build import PairsConfig
from capo_core.settings import as_json, setting, settings

PRECISIONS = ("auto", "fp32", "bf16")
SCHEDULES = ("constant", "linear", "cosine")
# Names of the losses in `losses.py`, here because choosing one needs no torch; a test holds both
# equal.
LOSSES = ("pairwise", "listwise", "nca")
PER = ("pair", "item")
CONTRASTS = ("response", "explanation")
ANCHORS = ("response", "label")
SMALL_BASE = 50_000_000  # parameters below which a base model is small
ENGINES = ("auto", "tree", "group", "pairs")
# Names of the kinds in `models.adapter_kinds`, for the same reason.
ADAPTER_KINDS = ("lora", "dora", "oft")
ADAPTER_TITLES = ("LoRA", "DoRA", "OFT")
NO_STRENGTH = ("dora",)  # those that cannot be taken part of the way


@settings("Adapter")
class AdapterSettings:
    """The adapter that is trained; what its kinds are: `models.adapter_kinds`."""

    kind: str = setting(
        "lora",
        "Adapter",
        "lora adds a matrix of low rank to each layer; dora also trains the length of each row; "
        "oft rotates each layer's inputs and keeps angles between them. All with about as many "
        "parameters as LoRA of this rank.",
        choices=ADAPTER_KINDS,
    )
    rank: int = setting(
        16,
        "LoRA rank",
        "Rows of A and columns of B; parameters grow in proportion. OFT takes the size of its "
        "blocks from it, for as many parameters.",
        ge=1,
        usual=(1, 1024),
    )
    alpha: float = setting(
        32.0,
        "LoRA alpha",
        "The adapter's update is scaled by alpha / rank; OFT has no such scale.",
        gt=0,
        step=1.0,
        usual=(0.1, 4096.0),
    )
    dropout: float = setting(
        0.0,
        "LoRA dropout",
        "Share of the adapter's inputs set to zero in training; not for OFT.",
        ge=0,
        lt=1,
        step=0.05,
        usual=(0.0, 0.95),
    )
    target_modules: str | tuple[str, ...] = setting(
        "all-linear",
        "Target modules",
        "Names of the layers adapted; all-linear adapts all linear layers but the output head.",
    )

    def __post_init__(self) -> None:
        if not self.target_modules:
            raise ConfigError(
                f"{self.target_modules!r} cannot be used",
                where="Adapter, target_modules",
                expected='"all-linear", or names of layers',
            )
        if self.kind == "oft" and self.dropout:
            # PEFT takes its setting (module_dropout), and has no use of it.
            raise ConfigError(
                f"dropout is {self.dropout:g}, and OFT has none",
                where="Adapter, dropout",
                expected="0 with OFT",
                todo="set it to 0, or take LoRA or DoRA",
            )


@settings("Training")
class TrainConfig:
    """Settings that SFT and CAPO share. An "item" is one item with the responses to it."""

    # Learning rates for small base models (such as the embedded one) and for large ones.
    RATES: ClassVar[tuple[float, float]] = (1e-3, 2e-4)

    seed: int = setting(
        0,
        "Random seed",
        "Random seed of the adapter's initial weights, the order of the data, and dropout.",
        ge=0,
    )
    epochs: int = setting(
        4, "Epochs", "Passes over the training items.", ge=1, step=1, usual=(1, 100)
    )
    learning_rate: float | None = setting(
        None,
        "Learning rate",
        "Peak learning rate of AdamW.",
        gt=0,
        step=1e-5,
        empty="chosen by the size of the base model",
        usual=(0.0, 1.0),
    )
    items_per_step: int = setting(
        16,
        "Items per step",
        "Batch size: items of one optimiser step, over all micro-batches and processes together.",
        ge=1,
        usual=(1, 4096),
    )
    accumulation: int = setting(
        1,
        "Gradient accumulation steps",
        "Micro-batches a process divides its items of a step into: less memory, same result.",
        ge=1,
        usual=(1, 1024),
    )
    batch_tokens: int | None = setting(
        None,
        "Tokens per micro-batch",
        "Most tokens, padding included, of a micro-batch; a CPU of several cores computes two of "
        "them at once. Fewer need less memory, with the same result. An item that is longer is "
        "computed alone.",
        ge=64,
        step=256,
        empty="chosen by the size of the base model",
        usual=(64, 65_536),
    )
    max_grad_norm: float = setting(
        1.0,
        "Max gradient norm",
        "Gradients with a larger Euclidean norm are clipped to it; 0 clips none.",
        ge=0,
        step=0.1,
        usual=(0.0, 1000.0),
    )
    warmup_share: float = setting(
        0.05,
        "Warm-up share",
        "Share of all steps in which the learning rate rises from 0 to its peak.",
        ge=0,
        lt=1,
        step=0.01,
        usual=(0.0, 0.99),
    )
    schedule: str = setting(
        "linear",
        "Learning-rate schedule",
        "The learning rate after warm-up: constant, or falling to 0 linearly or as a cosine.",
        choices=SCHEDULES,
    )
    weight_decay: float = setting(
        0.0,
        "Weight decay",
        "Decoupled weight decay of AdamW (Loshchilov & Hutter 2019), on the adapter's weights.",
        ge=0,
        step=0.01,
        usual=(0.0, 10.0),
    )
    shuffle: bool = setting(
        True,
        "Shuffle",
        "Shuffle the items anew in each epoch, those of similar length within a step; else keep "
        "the order of the dataset.",
    )
    precision: str = setting(
        "auto",
        "Precision",
        "Number format of the base model; auto takes bf16 on a GPU that supports it and on a CPU "
        "where it is faster for this model, else fp32. "
        "The adapter is always trained in fp32.",
        choices=PRECISIONS,
    )
    gradient_checkpointing: bool = setting(
        False,
        "Gradient checkpointing",
        "Recompute activations in the backward pass: less memory, about a third more time.",
    )
    quantise: bool = setting(
        False,
        "Load in 4-bit (NF4)",
        "Load the base model in 4 bits; needs a CUDA GPU and the package bitsandbytes.",
    )
    max_tokens: int = setting(
        1024,
        "Max tokens",
        "Longest prompt with one response; longer responses are cut and counted.",
        ge=16,
        usual=(16, 131_072),
    )
    checkpoint_every: int = setting(
        25,
        "Checkpoint every (steps)",
        "Optimiser steps between checkpoints; an interrupted run resumes from the last one.",
        ge=1,
        usual=(1, 100_000),
    )
    validate_every: int = setting(
        0,
        "Validate every (steps)",
        "Optimiser steps between validations; 0 validates at the end of each epoch.",
        ge=0,
        usual=(0, 100_000),
    )
    patience: int = setting(
        2,
        "Early-stopping patience",
        "Validations in a row without a better loss after which training ends; 0 disables it.",
        ge=0,
        usual=(0, 1000),
    )
    sample_every: int = setting(
        50,
        "Sample every (steps)",
        "Optimiser steps between generated samples, which are also written before the first step "
        "and after the last; 0 writes none.",
        ge=0,
        usual=(0, 100_000),
    )
    samples: int = setting(
        2,
        "Sampled items",
        "Validation items for which samples are generated; always the same ones.",
        ge=0,
        usual=(0, 100),
    )
    probe_items: int = setting(
        0,
        "Probe items",
        "Validation items whose generated responses are scored with each sample: the mean "
        "probability of the annotator by an attribution model, and how many it assigns to the "
        "annotator; 0 scores none.",
        ge=0,
        usual=(0, 10_000),
    )
    label_choice: str = setting(
        "auto",
        "Label choice of samples",
        "How the labels of samples and probe responses are chosen, as in a generation: by the "
        "scores of the label words, or generated as the model writes them. auto: scores; generated "
        "for the embedded base model.",
        choices=("auto", "scores", "generated"),
    )
    shared: bool = setting(
        False,
        "Shared adapter",
        "Train one adapter for all annotators, each named in the prompt, instead of one each.",
    )

    def rate_for(self, parameters: int) -> float:
        """Return the learning rate for a base model with this number of parameters."""
        small, large = self.RATES
        default = small if parameters < SMALL_BASE else large
        return default if self.learning_rate is None else self.learning_rate

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON writes them.

        `probe_items`, `batch_tokens` and `label_choice` are included only if set: they do not
        affect the result, and names of older runs stay the same.
        """
        plain = as_json(self)
        for name, unset in (("probe_items", 0), ("batch_tokens", None), ("label_choice", "auto")):
            if plain[name] == unset:
                del plain[name]
        return plain


@settings("SFT")
class SftConfig(TrainConfig):
    """Supervised fine-tuning: the likelihood of the annotator's own responses, token by token."""

    shuffled: bool = setting(
        False,
        "Shuffle annotators",
        "Control: within each item, give the annotators' responses to each other at random, so "
        "that nothing of an annotator can be learned; with the random seed of the training.",
    )
    lora: AdapterSettings = setting(
        title="Adapter",
        description="The adapter that is trained; CAPO continues from it.",
        default_factory=AdapterSettings,
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as every stage; `shuffled` and the adapter's kind only where they
        are not the usual ones, for the same reason."""
        plain = super().to_dict()
        if not self.shuffled:
            del plain["shuffled"]
        if self.lora.kind == "lora":
            del plain["lora"]["kind"]
        return plain


def check_strength(kind: str) -> None:
    """Raise `ConfigError` if the strength of an adapter of this kind cannot be chosen."""
    if kind in NO_STRENGTH:
        raise ConfigError(
            f"an adapter of the kind {kind} has no strength to choose",
            where="CAPO, calibrate",
            expected=" or ".join(each for each in ADAPTER_KINDS if each not in NO_STRENGTH),
            todo="switch calibrate off, or train SFT with another kind of adapter",
        )


# Settings of CAPO that earlier builds did not have, with what these did.
LATER = {
    "preferences": "", "contrast": "response", "anchor": "response", "ld_alpha": 1.0,
    "calibrate": False,
    "calibrate_label_prior": "none",
}  # fmt: skip

# What serves real annotators and language models best (found on validation items): commands and
# experiments start from it on every base model but the embedded one, whose results with the plain
# form are known. Settings that are saved without these are of the plain form, as ever.
USUAL = {"contrast": "explanation", "calibrate": True}


def usual_capo(
    base: str, *, adapter: str = "lora", shared: bool = False, validation: bool = True
) -> dict[str, Any]:
    """Return the settings of CAPO that differ from the plain form where nothing is chosen.

    Args:
        base: the base model. adapter: kind of the SFT run's adapter.
        shared: one adapter for all annotators, for which no strength is chosen.
        validation: whether the dataset has validation items, on which a strength is chosen.
    """
    if base == EMBEDDED_NAME:
        return {}
    can = validation and not shared and adapter not in NO_STRENGTH
    return dict(USUAL) if can else {"contrast": USUAL["contrast"]}


# CAPO in its plain form: DPO of whole responses on each pair, the adapter as it is trained.
PLAIN = {"loss": "pairwise", "beta": 0.1, "nll": 0.1, "length_norm": False, **LATER}


@settings("CAPO")
class CapoConfig(TrainConfig):
    """Preference training from the SFT adapter, which is also the frozen reference."""

    RATES: ClassVar[tuple[float, float]] = (3e-4, 5e-5)

    epochs: int = setting(
        3, "Epochs", "Passes over the training items.", ge=1, step=1, usual=(1, 100)
    )
    loss: str = setting(
        "pairwise",
        "Loss",
        "pairwise is DPO on each pair, listwise a softmax over chosen and rejected responses, nca "
        "compares each response with the reference.",
        choices=lambda: LOSSES,
    )
    contrast: str = setting(
        "response",
        "Contrasted part",
        "What of a response is contrasted with others': the whole response, or its explanation "
        "given its own label, so that no pair teaches to prefer a label whatever the item. "
        "Commands and experiments take explanation on every base model but the embedded one, "
        "except in the presets named after the paper.",
        choices=CONTRASTS,
    )
    beta: float = setting(
        0.1,
        "Beta",
        "Strength of the pull towards the SFT adapter; larger values stay closer to it.",
        gt=0,
        step=0.05,
        usual=(0.001, 10.0),
    )
    nll: float = setting(
        0.1,
        "NLL weight",
        "Weight of the chosen response's negative log-likelihood per token, which anchors it; 0 "
        "is none.",
        ge=0,
        step=0.05,
        usual=(0.0, 100.0),
    )
    anchor: str = setting(
        "response",
        "Anchored part",
        "What of the chosen response the NLL weight anchors: the whole response, or its label.",
        choices=ANCHORS,
    )
    length_norm: bool = setting(
        False,
        "Length normalisation",
        "Divide each response's log-probability by its tokens; beta must then be much larger.",
    )
    ld_alpha: float = setting(
        1.0,
        "LD-DPO alpha",
        "Weight of the tokens by which a pair's longer response is longer than the other "
        "(length-desensitised DPO): 1 counts them as all others, 0 leaves them out. Pairwise "
        "loss only.",
        ge=0,
        le=1,
        step=0.1,
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Share of pairs assumed to be the wrong way round.",
        ge=0,
        lt=0.5,
        step=0.01,
        usual=(0.0, 0.49),
    )
    per: str = setting(
        "pair",
        "Loss averaged over",
        "pair: every pair counts the same; item: every chosen response, however many pairs it is "
        "in.",
        choices=PER,
    )
    engine: str = setting(
        "auto",
        "Scoring engine",
        "How responses are scored: the prompt once for all of them (tree), once for each (group), "
        "or each pair alone (pairs); auto takes tree where it is exact.",
        choices=ENGINES,
    )
    pairs: PairsConfig = setting(
        title="Pairs",
        description="The responses that are contrasted, and the weight of each pair.",
        default_factory=PairsConfig,
    )
    calibrate: bool = setting(
        False,
        "Calibrate strength",
        "After training, choose the adapter's strength between SFT (0) and CAPO (1) on validation "
        "items: where answers are as typical of the annotator as the annotator's own texts, and "
        "labels are not worse than after SFT. Costs answers to the validation items at up to seven "
        "strengths. "
        "Commands and experiments switch it on with every base model but the embedded one, except "
        "in the presets named after the paper.",
    )
    calibrate_label_prior: str = setting(
        "none",
        "Label prior while calibrating",
        "How the labels of these answers are chosen; to be the label prior of the generation that "
        "uses the adapter. annotator: by the annotator's training labels, measured anew at each "
        "strength on at most 64 training items. Without it chance decides labels that the model "
        "does not know, and with them which strengths keep the labels. Without effect where the "
        "model writes its labels.",
        choices=LABEL_PRIORS,
    )
    preferences: str = setting(
        "",
        "Preference file (SHA-256)",
        "SHA-256 (hex) of a file of pairs to train on; empty takes the dataset's own pairs.",
    )

    def __post_init__(self) -> None:
        alone = "one adapter per annotator: the prompts of pairs from a file name no annotator"
        for name, right, expected in (
            (
                "preferences",
                re.fullmatch("([0-9a-f]{64})?", self.preferences),
                "the SHA-256 of a file (64 digits), or nothing",
            ),
            ("shared", not (self.shared and self.preferences), alone),
            (
                "ld_alpha",
                self.ld_alpha == 1 or (self.loss == "pairwise" and not self.length_norm),
                "1, or the pairwise loss without length normalisation: lengths are compared "
                "within a pair",
            ),
            (
                "calibrate",
                not (self.calibrate and self.shared),
                "one adapter per annotator: a strength suits one annotator",
            ),
        ):
            if not right:
                raise ConfigError(
                    f"{getattr(self, name)!r} cannot be used",
                    where=f"CAPO, {name}",
                    expected=expected,
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as every stage.

        What came later only where it is not as in the plain form, for the same reason.
        """
        plain = super().to_dict()
        for name, usual in LATER.items():
            if plain[name] == usual:
                del plain[name]
        return plain
