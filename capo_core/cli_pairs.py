"""`python -m capo_core pairs show | export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from capo_core.cli_support import console, plain_errors, print_json
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.pairs_config import PairsConfig
from capo_core.workspace import Workspace

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
Seed = Annotated[int, typer.Option(help="Of the draw for --max-rejected.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def mount(app: typer.Typer) -> None:
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
    seed: Seed = _DEFAULT.seed,
    examples: Annotated[int, typer.Option(help="Pairs to print.")] = 3,
    as_json: AsJson = False,
) -> None:
    """What CAPO would learn from: counts, what was left out, likeness, and some pairs."""
    from capo_core.imitation.pair_audit import audit, summary

    if examples < 0:
        raise ConfigError(f"{examples} pairs cannot be printed", expected="0 or more")
    config = PairsConfig(near_duplicate, same_label, weights, max_rejected, seed)
    data, pairs = _pairs(dataset, annotator, split, config)
    told, table = summary(pairs, data), audit(pairs, data)
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
    seed: Seed = _DEFAULT.seed,
    as_json: AsJson = False,
) -> None:
    """Write the pairs as JSONL with prompt, chosen and rejected, for other trainers."""
    from capo_core.imitation.pair_export import export_pairs

    config = PairsConfig(near_duplicate, same_label, weights, max_rejected, seed)
    data, pairs = _pairs(dataset, annotator, split, config)
    export_pairs(pairs, data, out)
    if as_json:
        print_json({"dataset": dataset, "target": annotator, "path": str(out), "pairs": len(pairs)})
    else:
        console.print(f"{len(pairs):,} pairs in {out}", markup=False)


def _pairs(name: str, annotator: str, split: str, config: PairsConfig):
    from capo_core.imitation.pairs import build_pairs, prove_held_out

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
