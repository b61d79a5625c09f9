"""The commands that train adapters and show the pairs they learn from.

python -m capo_core train sft | capo          under `accelerate launch -m` on several GPUs
python -m capo_core pairs show | export
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from capo_core.cli.fetch import Fetch, fetch_missing
from capo_core.cli.generate import print_training, refuse, targets_of
from capo_core.cli.options import changed, with_options
from capo_core.cli.support import (
    BASE_HELP,
    AllowEmbedded,
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
from capo_core.formatting import percent
from capo_core.imitation.pairs.build import PairsConfig
from capo_core.imitation.training.config import CapoConfig, SftConfig, usual_capo
from capo_core.progress import part_of
from capo_core.run_folder import RunFolder
from capo_core.workspace import Workspace

train_app = typer.Typer(
    help="Fine-tune an adapter that answers as an annotator would.", no_args_is_help=True
)

Name = Annotated[str, typer.Option("--dataset", help="Name of a dataset (see: data list).")]
Annotators = Annotated[
    list[str] | None,
    typer.Option(
        "--annotator",
        help="Annotator to imitate; 'all' trains one adapter per annotator.",
    ),
]
BaseModel = Annotated[str, typer.Option(help=BASE_HELP)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
# Settings of the machine and of the data, which a CAPO run's own SFT run takes over.
BOTH_STAGES = ("shared", "seed", "precision", "gradient_checkpointing", "quantise", "max_tokens",
               "accumulation", "batch_tokens")  # fmt: skip


def mount(app: typer.Typer) -> None:
    """Add the command group `train` to `app`."""
    app.add_typer(train_app, name="train")


@train_app.command("sft", cls=ManyValues)
@plain_errors
@with_options(SftConfig, without=("lora.target_modules",), names={"lora.kind": "adapter"})
def sft(
    given: dict[str, Any],
    dataset: Name,
    annotator: Annotators = None,
    base: BaseModel = "embedded",
    allow_embedded: AllowEmbedded = False,
    fetch: Fetch = False,
    as_json: AsJson = False,
) -> None:
    """Supervised fine-tuning on the annotator's own responses; run again to resume."""
    config = changed(SftConfig(), given)

    def train(workspace, data, target, progress):
        from capo_core.runs.kinds.training import run_training, sft_request

        request = sft_request(data, target, config, base)
        return run_training(
            request, workspace, progress=progress, dataset=data, allow_embedded=allow_embedded
        )

    _train_each(train, dataset, annotator, config.shared, base if fetch else None, as_json)


@train_app.command("capo", cls=ManyValues)
@plain_errors
@with_options(
    CapoConfig,
    without=("pairs.seed", "preferences"),
    defaults={
        "contrast": "explanation; response on the embedded base model",
        "calibrate": "on where there are validation items; off on the embedded base model",
    },
)
def capo(
    given: dict[str, Any],
    dataset: Name,
    annotator: Annotators = None,
    base: Annotated[
        str | None,
        typer.Option(help="Base model, as for sft; with --sft it is that run's, so leave it out."),
    ] = None,
    sft: Annotated[
        str | None,
        typer.Option(help="SFT run to start from; else one is found or trained."),
    ] = None,
    preferences: Annotated[
        Path | None,
        typer.Option(help="JSONL file of pairs to train on (see: pairs export, study)."),
    ] = None,
    allow_embedded: AllowEmbedded = False,
    fetch: Fetch = False,
    as_json: AsJson = False,
) -> None:
    """Preference training on the annotator's responses against those of others, after SFT."""
    refuse(base if sft else None, "--base", "the base is the one of the SFT run", "leave it out")
    before = changed(SftConfig(), {path: given[path] for path in BOTH_STAGES if path in given})
    if preferences:
        from capo_core.imitation.pairs.files import read_preferences

        given["preferences"] = read_preferences(preferences).sha256
    if "seed" in given:
        given["pairs.seed"] = given["seed"]
    shared = changed(CapoConfig(), given).shared

    def train(workspace, data, target, progress):
        from capo_core.imitation.training.capo import check_contrasts
        from capo_core.run_folder import find_run
        from capo_core.runs.kinds.training import capo_request, run_training, sft_request

        start = find_run(workspace, sft) if sft else None
        usual = _usual(data, start, base or "embedded", shared)
        config = changed(CapoConfig(), {**usual, **given})
        if start is None:
            check_contrasts(data, target, config, preferences)
            request = sft_request(data, target, before, base or "embedded")
            first, progress = part_of(progress, 0.0, 0.4), part_of(progress, 0.4, 1.0)
            start = run_training(
                request, workspace, progress=first, dataset=data, allow_embedded=allow_embedded
            )
        request = capo_request(data, target, config, start)
        return run_training(
            request, workspace, progress=progress, dataset=data, preferences=preferences
        )

    _train_each(train, dataset, annotator, shared, (base or "") if fetch else None, as_json)


def _usual(data: Dataset, start: RunFolder | None, base: str, shared: bool) -> dict[str, Any]:
    """Return the settings of CAPO where none are named; see `usual_capo`.

    Args:
        start: the SFT run it begins from; None where it is to be found or trained, on `base`.
    """
    adapter = "lora"
    if start is not None:
        base = start.config["base"]["name"]
        adapter = start.config["settings"].get("lora", {}).get("kind", adapter)
    validation = bool((data.items["split"] == "validation").any())
    return usual_capo(base, adapter=adapter, shared=shared, validation=validation)


def _train_each(
    train,
    dataset: str,
    annotators: list[str] | None,
    shared: bool,
    fetched: str | None,
    as_json: bool,
) -> None:
    """Train for each annotator, and print the results.

    Args:
        fetched: the base model that is downloaded with the dataset ("": the dataset only), where
            they are not in the workspace; None to download nothing.
    """
    workspace = Workspace.default()

    def fetch(**names: str) -> None:
        if fetched is not None:
            from capo_core.imitation.training.distributed import Processes

            processes = Processes.start()
            quiet = as_json or not processes.main
            processes.on_main(lambda: fetch_missing(workspace, **names, quiet=quiet))

    fetch(dataset=dataset)
    data = Catalog(workspace).load(dataset)
    targets = _targets(data, annotators, shared)
    fetch(base=fetched or "")
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
        why = "a shared adapter is trained on all annotators"
        refuse(annotators not in (None, [], ["all"]), "--annotator", why, "leave it out")
        return ["all"]
    if not annotators:
        raise typer.BadParameter("name an annotator, or 'all'", param_hint="--annotator")
    return targets_of(data, annotators)


pairs_app = typer.Typer(
    help="The annotator's responses against those of all others: what CAPO learns from.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_NAMED = 12  # annotators named in a line

Target = Annotated[str, typer.Option("--annotator", help="Annotator to imitate.")]
Split = Annotated[str, typer.Option(help="Split: train or validation.")]


def mount_pairs(app: typer.Typer) -> None:
    """Add the command group `pairs` to `app`."""
    app.add_typer(pairs_app, name="pairs")


@pairs_app.command("show")
@plain_errors
@with_options(PairsConfig)
def show(
    given: dict[str, Any],
    dataset: Name,
    annotator: Target,
    split: Split = "train",
    examples: Annotated[int, typer.Option(help="Number of pairs to print.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Show the pairs CAPO learns from: counts, skipped responses, similarity, and examples."""
    from capo_core.imitation.pairs.build import pair_summary, pair_table

    if examples < 0:
        raise ConfigError(f"{examples} pairs cannot be printed", expected="0 or more")
    data, pairs = _pairs(dataset, annotator, split, changed(PairsConfig(), given))
    summary, table = pair_summary(pairs, data), pair_table(pairs, data)
    summary["held_out"] = split == "train"  # proved when the pairs were made
    if as_json:
        print_json(summary | {"audit": table.to_dict("records")})
        return
    _print_counts(summary)
    _print_quantiles(summary)
    _print_examples(table, examples)


@pairs_app.command("export")
@plain_errors
@with_options(PairsConfig)
def export(
    given: dict[str, Any],
    dataset: Name,
    annotator: Target,
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    split: Split = "train",
    as_json: AsJson = False,
) -> None:
    """Write the pairs as JSONL with prompt, chosen and rejected, for other trainers."""
    from capo_core.imitation.pairs.files import export_pairs

    data, pairs = _pairs(dataset, annotator, split, changed(PairsConfig(), given))
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


def _print_counts(summary: dict) -> None:
    console.print(
        f"{summary['pairs']:,} pairs for annotator {summary['target']} of {summary['dataset']} "
        f"({summary['split']}): {summary['chosen_responses']:,} responses to "
        f"{summary['items']:,} items.",
        markup=False,
    )
    if summary["held_out"]:
        console.print("None of their items or texts is in the validation or test part.")
    counts = list(summary["rejected_by_annotator"].items())  # the most frequent first
    against = ", ".join(f"{annotator} {count:,}" for annotator, count in counts[:_NAMED])
    if against:
        more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
        console.print(f"Rejected responses by {against}{more}.", markup=False)
    for unit in ("responses", "pairs"):
        left = [f"{count:,} {name}" for name, count in summary[f"dropped_{unit}"].items() if count]
        console.print(f"Skipped {unit}: {', '.join(left) or 'none'}.", markup=False)
    if summary["items_without"]:
        console.print(f"Items in no pair: {len(summary['items_without']):,}.")
    if summary["same_label_share"] is not None:
        console.print(f"Same label: {percent(summary['same_label_share'])} of pairs.")


def _print_quantiles(summary: dict) -> None:
    table = Table(Column("", no_wrap=True), Column("n", justify="right"), box=None)
    names = [name for name in summary["similarity"] if name != "n"]
    for name in names:
        table.add_column(name, justify="right")
    for key, words, form in (
        ("similarity", "similarity", "{:.2f}"),
        ("length_gap_words", "length gap, words", "{:+.0f}"),
        ("weight", "weight", "{:.2f}"),
    ):
        row = summary[key]
        cells = ("–" if row[name] is None else form.format(row[name]) for name in names)
        table.add_row(words, f"{row['n']:,}", *cells)
    console.print()
    console.print(table, markup=False)
    console.print("A length gap above 0: the chosen explanation is longer.")


def _print_examples(table, count: int) -> None:
    # Spread over the whole, the same each time.
    step = max(1, len(table) // count) if count else 1
    for row in table.iloc[::step].head(count).itertuples():
        console.print()
        console.print(
            f"{row.item_id}, similarity {row.similarity:.2f}, weight {row.weight:.2f}", markup=False
        )
        for side in ("chosen", "rejected"):
            annotator, label = getattr(row, f"{side}_annotator_id"), getattr(row, f"{side}_label")
            explanation = getattr(row, f"{side}_explanation")
            console.print(f"  {side:8} {annotator}  [{label}] {explanation}", markup=False)
