"""`python -m capo_core train sft | capo`; under `accelerate launch -m` also on several GPUs.

`python -m capo_core pairs show | export`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from capo_core.cli.generate import defaults_of, print_training, refuse, targets_of
from capo_core.cli.support import (
    ManyValues,
    console,
    plain_errors,
    print_json,
    progress_bar,
    stoppable,
)
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.pairs.build import PairsConfig
from capo_core.imitation.training.config import CapoConfig, LoraSettings, SftConfig
from capo_core.progress import part_of
from capo_core.workspace import Workspace

train_app = typer.Typer(help="Teach a model to answer as an annotator would.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--dataset", help="A dataset of the catalog (data list).")]
Who = Annotated[
    list[str] | None, typer.Option("--annotator", help="Whom to imitate; 'all' for each.")
]
Base = Annotated[str, typer.Option(help="'embedded', a model's folder, or its name on the hub.")]
Shared = Annotated[bool, typer.Option("--shared", help="One adapter for all, named in the prompt.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training items.")]
Rate = Annotated[float | None, typer.Option(help="Peak learning rate; else by the base's size.")]
PerStep = Annotated[int | None, typer.Option(help="Items of one optimiser step.")]
Accumulation = Annotated[int | None, typer.Option(help="Micro-batches a step is divided into.")]
Seed = Annotated[int | None, typer.Option(help="Of everything random.")]
Precision = Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")]
Checkpointing = Annotated[
    bool, typer.Option("--gradient-checkpointing", help="Less memory, more time.")
]
Quantise = Annotated[bool, typer.Option("--quantise", help="Base in 4 bits (CUDA only).")]
MaxTokens = Annotated[int | None, typer.Option(help="Longest prompt with one response.")]
Schedule = Annotated[str | None, typer.Option(help="constant, linear or cosine.")]
Warmup = Annotated[float | None, typer.Option("--warmup-share", help="Share of rising steps.")]
Decay = Annotated[float | None, typer.Option("--weight-decay", help="AdamW's weight decay.")]
CheckpointEvery = Annotated[int | None, typer.Option(help="Steps between checkpoints.")]
ValidateEvery = Annotated[int | None, typer.Option(help="Steps between validations; 0: epochs.")]
Patience = Annotated[int | None, typer.Option(help="Worse validations until the end; 0: never.")]
SampleEvery = Annotated[int | None, typer.Option(help="Steps between samples; 0: none.")]
ProbeItems = Annotated[
    int | None, typer.Option(help="Validation items scored with each sample; 0: none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.add_typer(train_app, name="train")


@train_app.command("sft", cls=ManyValues, epilog=defaults_of(SftConfig(), LoraSettings()))
@plain_errors
def sft(
    dataset: Name,
    annotator: Who = None,
    base: Base = "embedded",
    shared: Shared = False,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    items_per_step: PerStep = None,
    accumulation: Accumulation = None,
    rank: Annotated[int | None, typer.Option(help="Rank of the adapter.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Strength of the adapter.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Dropout of the adapter.")] = None,
    seed: Seed = None,
    precision: Precision = None,
    gradient_checkpointing: Checkpointing = False,
    quantise: Quantise = False,
    max_tokens: MaxTokens = None,
    schedule: Schedule = None,
    warmup_share: Warmup = None,
    weight_decay: Decay = None,
    checkpoint_every: CheckpointEvery = None,
    validate_every: ValidateEvery = None,
    patience: Patience = None,
    sample_every: SampleEvery = None,
    probe_items: ProbeItems = None,
    as_json: AsJson = False,
) -> None:
    """Learn from the annotator's own responses. The same command again goes on where it stopped."""
    given = locals()
    lora = _changed(LoraSettings(), {name: given[name] for name in ("rank", "alpha", "dropout")})
    config = _changed(SftConfig(lora=lora), given)

    def train(workspace, data, target, progress):
        from capo_core.runs.kinds.training import run_training, sft_request

        request = sft_request(data, target, config, base)
        return run_training(request, workspace, progress=progress, dataset=data)

    _train_each(train, dataset, annotator, shared, as_json)


@train_app.command("capo", cls=ManyValues, epilog=defaults_of(PairsConfig(), CapoConfig()))
@plain_errors
def capo(
    dataset: Name,
    annotator: Who = None,
    base: Annotated[
        str | None,
        typer.Option(help="As for sft; with --sft it is that run's base, and need not be named."),
    ] = None,
    sft: Annotated[
        str | None, typer.Option(help="SFT run to begin with; else one is found or trained.")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="pairwise, listwise or nca.")] = None,
    beta: Annotated[
        float | None, typer.Option(help="Larger holds closer to the SFT adapter.")
    ] = None,
    nll: Annotated[float | None, typer.Option(help="Weight of the chosen's likelihood.")] = None,
    length_norm: Annotated[
        bool, typer.Option("--length-norm", help="Divide by tokens; beta is then to be larger.")
    ] = False,
    label_smoothing: Annotated[float | None, typer.Option(help="Share of pairs doubted.")] = None,
    per: Annotated[str | None, typer.Option(help="What counts alike: pair or item.")] = None,
    engine: Annotated[str | None, typer.Option(help="auto, tree, group or pairs.")] = None,
    near_duplicate: Annotated[
        float | None, typer.Option(help="Similarity not paired, of one label.")
    ] = None,
    same_label: Annotated[
        str | None, typer.Option(help="Pairs of one label: keep, drop, only.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Of pairs: uniform or specific.")] = None,
    max_rejected: Annotated[
        int | None, typer.Option(help="Rejected for each chosen at most.")
    ] = None,
    preferences: Annotated[
        Path | None, typer.Option(help="JSONL of pairs to train on (pairs export, study).")
    ] = None,
    shared: Shared = False,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    items_per_step: PerStep = None,
    accumulation: Accumulation = None,
    seed: Seed = None,
    precision: Precision = None,
    gradient_checkpointing: Checkpointing = False,
    quantise: Quantise = False,
    max_tokens: MaxTokens = None,
    schedule: Schedule = None,
    warmup_share: Warmup = None,
    weight_decay: Decay = None,
    checkpoint_every: CheckpointEvery = None,
    validate_every: ValidateEvery = None,
    patience: Patience = None,
    sample_every: SampleEvery = None,
    probe_items: ProbeItems = None,
    as_json: AsJson = False,
) -> None:
    """Learn from the contrast with what others wrote, beginning with an SFT adapter."""
    given = locals()
    refuse(base if sft else None, "--base", "the base is the one of the SFT run", "leave it out")
    names = ("near_duplicate", "same_label", "weights", "max_rejected", "seed")
    if preferences:
        from capo_core.imitation.pairs.files import read_preferences

        given["preferences"] = read_preferences(preferences).sha256
    pairs = _changed(PairsConfig(), {name: given[name] for name in names})
    config = _changed(CapoConfig(pairs=pairs), given)
    # What is the machine's business, and not the method's, holds for both stages.
    both = ("shared", "seed", "precision", "gradient_checkpointing", "quantise", "max_tokens",
            "accumulation")  # fmt: skip
    before = _changed(SftConfig(), {name: given[name] for name in both})

    def train(workspace, data, target, progress):
        from capo_core.imitation.training.capo import check_contrasts
        from capo_core.run_folder import find_run
        from capo_core.runs.kinds.training import capo_request, run_training, sft_request

        if sft:
            start = find_run(workspace, sft)
        else:
            check_contrasts(data, target, config, preferences)
            request = sft_request(data, target, before, base or "embedded")
            first, progress = part_of(progress, 0.0, 0.4), part_of(progress, 0.4, 1.0)
            start = run_training(request, workspace, progress=first, dataset=data)
        request = capo_request(data, target, config, start)
        return run_training(
            request, workspace, progress=progress, dataset=data, preferences=preferences
        )

    _train_each(train, dataset, annotator, shared, as_json)


def _changed(config: Any, given: dict[str, Any]) -> Any:
    """`config` with the settings that were given; an option that was not is None or False."""
    known = set(config.__dataclass_fields__)
    wished = {
        name: value
        for name, value in given.items()
        if name in known and value is not None and value is not False
    }
    return replace(config, **wished)


def _train_each(train, dataset: str, annotators: list[str] | None, shared: bool, as_json) -> None:
    """Train for each annotator asked for, and print what came of it."""
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    targets = _targets(data, annotators, shared)
    from capo_core.imitation.training.distributed import Processes

    main = Processes.start().main
    done = []
    with progress_bar(quiet=as_json or not main) as shown, stoppable(shown) as progress:
        for number, target in enumerate(targets):
            part = part_of(progress, number / len(targets), (number + 1) / len(targets))
            done.append(train(workspace, data, target, part))
    if not main:
        return
    if as_json:
        print_json([{"folder": str(run.path), **run.result} for run in done])
        return
    for run in done:
        print_training(run)


def _targets(data, annotators: list[str] | None, shared: bool) -> list[str]:
    if shared:
        why = "one adapter for all learns from everybody"
        refuse(annotators not in (None, [], ["all"]), "--annotator", why, "leave it out")
        return ["all"]
    if not annotators:
        raise typer.BadParameter("name an annotator, or 'all'", param_hint="--annotator")
    return targets_of(data, annotators)


pairs_app = typer.Typer(
    help="The target's responses against everybody else's.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_DEFAULT = PairsConfig()
_NAMED = 12  # annotators named in a line

DatasetName = Annotated[str, typer.Option("--dataset", help="A dataset (see: data list).")]
Annotator = Annotated[str, typer.Option("--annotator", help="The target: whose manner is learned.")]
Split = Annotated[str, typer.Option(help="train, or validation.")]
NearDuplicate = Annotated[
    float, typer.Option(help="Pairs of one label at least so similar are dropped; above 1: none.")
]
SameLabel = Annotated[str, typer.Option(help="Pairs of one label: keep, drop or only.")]
Weights = Annotated[str, typer.Option(help="uniform or specific.")]
MaxRejected = Annotated[int | None, typer.Option(help="Rejected to a chosen one, at most.")]
DrawSeed = Annotated[int, typer.Option(help="Of the draw for --max-rejected.")]


def mount_pairs(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.add_typer(pairs_app, name="pairs")


@pairs_app.command("show")
@plain_errors
def show(
    dataset: DatasetName,
    annotator: Annotator,
    split: Split = "train",
    near_duplicate: NearDuplicate = _DEFAULT.near_duplicate,
    same_label: SameLabel = _DEFAULT.same_label,
    weights: Weights = _DEFAULT.weights,
    max_rejected: MaxRejected = _DEFAULT.max_rejected,
    seed: DrawSeed = _DEFAULT.seed,
    examples: Annotated[int, typer.Option(help="Pairs to print.")] = 3,
    as_json: AsJson = False,
) -> None:
    """What CAPO would learn from: counts, what was left out, likeness, and some pairs."""
    from capo_core.imitation.pairs.build import pair_summary, pair_table

    if examples < 0:
        raise ConfigError(f"{examples} pairs cannot be printed", expected="0 or more")
    config = PairsConfig(near_duplicate, same_label, weights, max_rejected, seed)
    data, pairs = _pairs(dataset, annotator, split, config)
    told, table = pair_summary(pairs, data), pair_table(pairs, data)
    told["held_out"] = split == "train"  # proved when the pairs were made
    if as_json:
        print_json(told | {"audit": table.to_dict("records")})
        return
    _print_counts(told)
    _print_quantiles(told)
    _print_examples(table, examples)


@pairs_app.command("export")
@plain_errors
def export(
    dataset: DatasetName,
    annotator: Annotator,
    out: Annotated[Path, typer.Option(help="The JSONL file to write.")],
    split: Split = "train",
    near_duplicate: NearDuplicate = _DEFAULT.near_duplicate,
    same_label: SameLabel = _DEFAULT.same_label,
    weights: Weights = _DEFAULT.weights,
    max_rejected: MaxRejected = _DEFAULT.max_rejected,
    seed: DrawSeed = _DEFAULT.seed,
    as_json: AsJson = False,
) -> None:
    """Write the pairs as JSONL with prompt, chosen and rejected, for other trainers."""
    from capo_core.imitation.pairs.files import export_pairs

    config = PairsConfig(near_duplicate, same_label, weights, max_rejected, seed)
    data, pairs = _pairs(dataset, annotator, split, config)
    export_pairs(pairs, data, out)
    if as_json:
        print_json({"dataset": dataset, "target": annotator, "path": str(out), "pairs": len(pairs)})
    else:
        console.print(f"{len(pairs):,} pairs in {out}", markup=False)


def _pairs(name: str, annotator: str, split: str, config: PairsConfig):
    from capo_core.imitation.pairs.build import build_pairs, prove_held_out

    data: Dataset = Catalog(Workspace.default()).load(name)
    pairs = build_pairs(data, annotator, config, split=split)
    if split == "train":
        prove_held_out(pairs, data)
    return data, pairs


def _print_counts(told: dict) -> None:
    console.print(
        f"{told['pairs']:,} pairs for annotator {told['target']} of {told['dataset']} "
        f"({told['split']}): {told['chosen_responses']:,} responses to {told['items']:,} items.",
        markup=False,
    )
    if told["held_out"]:
        console.print("None of their items or texts is in the validation or test part.")
    counts = list(told["rejected_by_annotator"].items())  # the most frequent first
    against = ", ".join(f"{who} {count:,}" for who, count in counts[:_NAMED])
    if against:
        more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
        console.print(f"Rejected responses by {against}{more}.", markup=False)
    for unit in ("responses", "pairs"):
        left = [f"{count:,} {name}" for name, count in told[f"dropped_{unit}"].items() if count]
        console.print(f"Left out, {unit}: {', '.join(left) or 'none'}.", markup=False)
    if told["items_without"]:
        console.print(f"Items in no pair: {len(told['items_without']):,}.")
    if told["same_label_share"] is not None:
        console.print(f"Both give the same label: {told['same_label_share']:.0%} of pairs.")


def _print_quantiles(told: dict) -> None:
    table = Table(Column("", no_wrap=True), Column("n", justify="right"), box=None)
    names = [name for name in told["similarity"] if name != "n"]
    for name in names:
        table.add_column(name, justify="right")
    for key, words, form in (
        ("similarity", "similarity", "{:.2f}"),
        ("length_gap_words", "length gap, words", "{:+.0f}"),
        ("weight", "weight", "{:.2f}"),
    ):
        row = told[key]
        cells = ("–" if row[name] is None else form.format(row[name]) for name in names)
        table.add_row(words, f"{row['n']:,}", *cells)
    console.print()
    console.print(table, markup=False)
    console.print("A length gap above 0: the chosen explanation is the longer one.")


def _print_examples(table, count: int) -> None:
    # Spread over the whole, the same each time.
    step = max(1, len(table) // count) if count else 1
    for row in table.iloc[::step].head(count).itertuples():
        console.print()
        console.print(
            f"{row.item_id}, similarity {row.similarity:.2f}, weight {row.weight:.2f}", markup=False
        )
        for side in ("chosen", "rejected"):
            who, label = getattr(row, f"{side}_annotator_id"), getattr(row, f"{side}_label")
            said = getattr(row, f"{side}_explanation")
            console.print(f"  {side:8} {who}  [{label}] {said}", markup=False)
