"""The settings of an experiment's form: each with its name, its help, its range and default.
Those of measurements that may be left out stand in `form_measures`.

Defaults are those of the stages' own configurations, so that the form and the command line agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from capo_core.data.splits import PARTS
from capo_core.imitation.generation.requests import EXAMPLE_SELECTIONS, GenerateConfig
from capo_core.imitation.pairs.build import SAME_LABEL_CHOICES, WEIGHTS, PairsConfig
from capo_core.imitation.prompting.value_profiles import ProfileConfig
from capo_core.imitation.training.config import (
    ENGINES,
    LOSSES,
    PER,
    PRECISIONS,
    SCHEDULES,
    CapoConfig,
    LoraSettings,
    SftConfig,
)


@dataclass(frozen=True)
class Setting:
    """One setting on the form.

    Attributes:
        path: where it stands in an experiment: "sft.lora.rank".
        label, help: for a person; `help` is one sentence, or two.
        kind: "whole", "number", "switch" or "choice".
        default: of its stage's configuration; None stands for what `empty` says.
        low, high, step: of numbers.
        options: of a choice.
        empty: what it means to leave it empty, where that may be.
    """

    path: str
    label: str
    help: str
    kind: str = "whole"
    default: Any = None
    low: float = 0
    high: float | None = None
    step: float = 1
    options: Sequence[str] = ()
    empty: str = ""


def _defaults(config: type) -> dict[str, Any]:
    found = {}
    for each in fields(config):
        if each.default is not MISSING:
            found[each.name] = each.default
    return found


_DEFAULTS: dict[str, Mapping[str, Any]] = {
    "sft": _defaults(SftConfig),
    "capo": _defaults(CapoConfig),
    "sft.lora": _defaults(LoraSettings),
    "capo.pairs": _defaults(PairsConfig),
    "generate": _defaults(GenerateConfig),
    "profile": _defaults(ProfileConfig),
}


def _setting(path: str, label: str, help_: str, kind: str = "whole", **more: Any) -> Setting:
    stage, _, name = path.rpartition(".")
    return Setting(path, label, help_, kind, _DEFAULTS[stage][name], **more)


# The few that matter.
MAIN = (
    _setting("sft.epochs", "SFT: passes over the data",
             "How often SFT reads the annotator's own answers; more learns more of the manner and, "
             "at last, the texts by heart.", low=1, high=100),
    _setting("capo.epochs", "CAPO: passes over the data",
             "How often CAPO reads the contrasts between annotators.", low=1, high=100),
    _setting("capo.beta", "CAPO: β",
             "How strongly CAPO is held to what SFT learned; larger holds tighter.", "number",
             low=0.001, high=10.0, step=0.05),
    _setting("generate.examples", "Examples in context",
             "How many of the annotator's own answers the in-context method shows to the model.",
             low=1, high=500),
    _setting("generate.samples", "Answers to each item",
             "Each is drawn anew; several make the scores steadier.", low=1, high=1000),
)  # fmt: skip


def _training(stage: str) -> tuple[Setting, ...]:
    def add(name: str, *about: Any, **more: Any) -> Setting:
        return _setting(f"{stage}.{name}", *about, **more)

    return (
        add("learning_rate", "Learning rate",
            "Peak rate of AdamW; empty takes one by the base's size.", "number", low=0.0,
            high=1.0, step=1e-5, empty="by the base"),
        add("items_per_step", "Items a step",
            "Items of one optimiser step together; more is steadier and slower.", low=1, high=4096),
        add("accumulation", "Divided into",
            "Parts of a step computed one after the other: less memory, the same result.",
            low=1, high=1024),
        add("max_tokens", "Longest text, tokens",
            "Prompt and answer together; longer answers are cut, and counted.", low=16,
            high=131072),
        add("precision", "Numbers of the base",
            "auto takes bf16 on a GPU that has it, else fp32.", "choice", options=PRECISIONS),
        add("schedule", "Learning rate over time",
            "After warming up it stays, or falls to nothing.", "choice", options=SCHEDULES),
        add("warmup_share", "Warming up",
            "Share of all steps in which the rate rises from 0 to its peak.", "number", low=0.0,
            high=0.99, step=0.01),
        add("weight_decay", "Weight decay", "AdamW's, on the adapter.", "number", low=0.0,
            high=10.0, step=0.01),
        add("max_grad_norm", "Gradient at most",
            "Longer gradients are cut to this length; 0 leaves them.", "number", low=0.0,
            high=1000.0, step=0.1),
        add("patience", "Patience",
            "Validations without a better loss after which training ends; 0 never ends early.",
            high=1000),
        add("validate_every", "Validate every … steps",
            "0 validates at the end of each pass.", high=100_000),
        add("checkpoint_every", "Save every … steps",
            "From where a run goes on after a crash.", low=1, high=100_000),
        add("sample_every", "Samples every … steps",
            "Explanations written before the first step, on the way and at the end, so that one "
            "sees the manner arrive; 0 writes none.",
            high=100_000),
        add("samples", "Samples",
            "Validation items for which they are written; always the same ones.", high=100),
        add("probe_items", "Probe",
            "Validation items whose answers are scored with each sample: how many an attribution "
            "model gives to the annotator. 0 scores none.", high=10_000),
        add("gradient_checkpointing", "Save memory",
            "Computes activations again in the backward pass: about a third more time.", "switch"),
        add("quantise", "Base in 4 bits",
            "Loads the base in NF4; needs a GPU and bitsandbytes.", "switch"),
    )  # fmt: skip


FOLDED: dict[str, tuple[Setting, ...]] = {
    "SFT": (
        _setting("sft.lora.rank", "Adapter: rank",
                 "Size of the adapter; its parameters grow in proportion.", low=1, high=1024),
        _setting("sft.lora.alpha", "Adapter: α",
                 "The adapter's weight is α over the rank.", "number", low=0.1, high=4096.0,
                 step=1.0),
        _setting("sft.lora.dropout", "Adapter: dropout",
                 "Share of its inputs set to zero in training.", "number", low=0.0, high=0.95,
                 step=0.05),
        _setting("sft.shared", "One adapter for all",
                 "One adapter for all annotators, each named in the prompt, instead of one each.",
                 "switch"),
        *_training("sft"),
    ),
    "CAPO": (
        _setting("capo.loss", "Contrast",
                 "pairwise is DPO on each pair; listwise chooses among all answers to an item.",
                 "choice", options=LOSSES),
        _setting("capo.nll", "Likelihood kept",
                 "Weight of the chosen answer's own likelihood, against drift.", "number",
                 low=0.0, high=100.0, step=0.05),
        _setting("capo.length_norm", "By the token",
                 "Divides each answer's log-probability by its length; β must then be larger.",
                 "switch"),
        _setting("capo.label_smoothing", "Label smoothing",
                 "Share of pairs taken to be the wrong way round.", "number", low=0.0, high=0.49,
                 step=0.01),
        _setting("capo.per", "What counts alike",
                 "Each pair, or each chosen answer however many pairs it stands in.", "choice",
                 options=PER),
        _setting("capo.engine", "Engine",
                 "How answers are scored: auto shares the prompt among them where that is exact.",
                 "choice", options=ENGINES),
        _setting("capo.pairs.weights", "Weight of pairs",
                 "uniform, or more where the annotator's answer is more their own (specific).",
                 "choice", options=WEIGHTS),
        _setting("capo.pairs.same_label", "Pairs of equal label",
                 "Keep them, drop them, or take only them.", "choice", options=SAME_LABEL_CHOICES),
        _setting("capo.pairs.near_duplicate", "Near-duplicates from",
                 "Similarity from which two answers of equal label contrast nothing.", "number",
                 low=0.0, high=1.1, step=0.05),
        _setting("capo.pairs.max_rejected", "Rejected at most",
                 "Rejected answers to each chosen one; empty takes all.", low=1, high=1000,
                 empty="all"),
        *_training("capo"),
    ),
    "Prompting and answers": (
        _setting("generate.split", "Items answered", "The part of the data that is answered.",
                 "choice", options=PARTS),
        _setting("generate.items", "How many of them", "0 takes all.", high=1_000_000),
        _setting("generate.how", "Examples chosen",
                 "The same for all items (random), or those of the most similar items (nearest).",
                 "choice", options=EXAMPLE_SELECTIONS),
        _setting("generate.temperature", "Temperature",
                 "How freely the model chooses its words; 0 always takes the likeliest.", "number",
                 low=0.0, high=5.0, step=0.1),
        _setting("generate.top_p", "Top p",
                 "Words are drawn from the likeliest that make up this share.", "number", low=0.01,
                 high=1.0, step=0.05),
        _setting("generate.max_new_tokens", "Longest answer, tokens",
                 "Longer answers are cut, and counted.", low=1, high=32768),
        _setting("profile.examples", "Examples for a profile",
                 "How many of the annotator's answers the writer of their profile reads.", low=1,
                 high=500),
        _setting("profile.max_new_tokens", "Longest profile, tokens", "Longer ones are cut.",
                 low=1, high=32768),
        _setting("profile.tries", "Tries for a profile",
                 "How often the model is asked until it keeps to the form.", low=1, high=20),
    ),
}  # fmt: skip
