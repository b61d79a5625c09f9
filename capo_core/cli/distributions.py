"""Commands of the group `distributions`: label distributions of people and models.

python -m capo_core distributions compare | variation
python -m capo_core distributions estimate | explain    (need a language model)
python -m capo_core distributions train                 (classifiers on label distributions)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from capo_core.cli.options import changed, with_options
from capo_core.cli.support import (
    BASE_HELP,
    AllowEmbedded,
    ManyValues,
    console,
    plain_errors,
    print_json,
    progress_bar,
)
from capo_core.distributions.compare import (
    CROWD,
    DISTANCES,
    JSD,
    KL,
    SHAPE,
    TVD,
    WASSERSTEIN,
    CompareConfig,
    measure_title,
)
from capo_core.distributions.estimate import EstimateConfig
from capo_core.distributions.explanations import GUIDED, LABEL_FREE, ExplainConfig
from capo_core.distributions.option_prompts import LETTERS, WORDS
from capo_core.distributions.soft_label_data import SoftLabelConfig
from capo_core.distributions.variation import VariationConfig
from capo_core.errors import ConfigError
from capo_core.export_formats import with_provenance
from capo_core.formatting import count, number, with_interval
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.models.registry import EMBEDDED_NAME
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace, write_json

if TYPE_CHECKING:
    from capo_core.distributions.judgments import Judgments

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", help="JSON files with distributions, of the same items."),
]
Data = Annotated[str | None, typer.Option("--dataset", help="Name of a dataset (see: data list).")]
Labels = Annotated[
    list[str] | None, typer.Option(help="Labels in the file's order. Default: those of NLI.")
]
Base = Annotated[str | None, typer.Option(help=BASE_HELP)]
Server = Annotated[str | None, typer.Option(help="Model of the server at CAPO_SERVER_URL.")]
Precision = Annotated[str, typer.Option(help="Precision: auto, fp32 or bf16.")]
BatchTokens = Annotated[int, typer.Option(help="Tokens per batch; fewer need less memory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Queued = Annotated[bool, typer.Option("--queue", help="Add the run to the queue instead.")]


def mount_estimates(app: typer.Typer) -> None:
    """Add the commands `estimate` and `explain` to the group `distributions`."""
    app.command("estimate", cls=ManyValues)(estimate)
    app.command("explain", cls=ManyValues)(explain)


@plain_errors
@with_options(
    EstimateConfig,
    defaults={
        "transform": "norm with --by sampling, else softmax",
        "options": "words for a base model or adapter on this machine, letters for a server, for "
        "--by sampling and for the embedded base model",
        "temperature": "20 as published; 1 with --options words",
    },
)
def estimate(
    given: dict[str, Any],
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    base: Base = None,
    server: Server = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Scores: logits (base model), logprobs (server), or sampling (any model)."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="sampling: answers per question.")] = 20,
    choose: Annotated[
        str,
        typer.Option(
            help="Selection for --count: first, longest, greedy, representative, human-preferred."
        ),
    ] = "first",
    votes: Annotated[
        Path | None, typer.Option(help="human-preferred: CSV of item_id, source, position, votes.")
    ] = None,
    replace_by: Annotated[
        str, typer.Option(help="Source that replaces explanations, with the same labels.")
    ] = "",
    replace_share: Annotated[float, typer.Option(help="Share replaced, 0 to 1.")] = 1.0,
    run: Annotated[
        list[str] | None, typer.Option(help="Finished generations whose explanations may be shown.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of --replace-share.")] = 0,
    adapter: Annotated[
        str, typer.Option(help="Finished training (run) whose adapter is the model; sets --base.")
    ] = "",
    annotator: Annotated[
        str,
        typer.Option(
            help="Annotator of --label-prior ('all': everybody's training labels), or of an "
            "adapter that serves all. Default: the adapter's."
        ),
    ] = "",
    allow_embedded: AllowEmbedded = False,
    precision: Precision = "auto",
    batch_tokens: BatchTokens = BATCH_TOKENS,
    queue: Queued = False,
    as_json: AsJson = False,
) -> None:
    """Estimate human label distributions by a model, from the scores of labels as its answers."""
    from capo_core.distributions import store
    from capo_core.distributions.explanations import replace_explanations
    from capo_core.runs.kinds.distributions import check_estimate

    if server and (base or adapter):
        raise ConfigError("two models are named", todo="remove --base, --adapter or --server")
    by = by or ("sampling" if server else "logits")
    workspace = Workspace.default()
    if adapter:
        base, annotator = _base_of(adapter, base, annotator, workspace)
    config = changed(EstimateConfig(), {**_estimate_defaults(by, base, adapter, given), **given})
    found = judgments_of(file, dataset, labels)
    if run:
        found = store.with_runs(found, run, workspace)
    if replace_by:
        made, missing = replace_explanations(
            found, config.explanations, replace_by, replace_share, seed=seed
        )
        found, config = _showing(found, config, made)
        if missing and not as_json:
            console.print(f"{count(missing, 'explanation')} not replaced: the model has none")
    if config.count and choose != "first":
        found, config = _showing(found, config, _chosen(found, config, choose, votes, workspace))
    settings: dict[str, Any] = {
        "dataset": found.name,
        "judgments": store.save(found, workspace),
        **({"server": server} if server else {"base": base or "embedded"}),
        "by": by,
        **({"samples": samples} if by == "sampling" else {}),
        **({"precision": precision} if precision != "auto" else {}),
        **({"batch_tokens": batch_tokens} if batch_tokens != BATCH_TOKENS else {}),
        **({"adapter": adapter} if adapter else {}),
        **({"annotator": annotator} if annotator else {}),
        **({"allow_embedded": True} if allow_embedded else {}),
        "config": config.to_dict(),
    }
    check_estimate(found, settings)
    result = do_run("estimate", settings, workspace, queue=queue, as_json=as_json)
    if result is None or as_json:
        return
    sizes = f"{count(result['n'], 'item')}, {count(result['questions'], 'question')}"
    console.print(f"{result['name']}: {sizes}")
    for problem, left_out in result["left_out"].items():
        console.print(f"left out: {count(left_out, 'item')} ({problem})", markup=False)
    for note in result.get("notes", ()):
        console.print(f"note: {note}", markup=False)
    if result["position_bias"]:
        console.print(_bias_in_words(result["position_bias"]), markup=False)
    console.print(f"compare it: distributions compare … --run {result['run']}", markup=False)


def _estimate_defaults(
    by: str, base: str | None, adapter: str, given: dict[str, Any]
) -> dict[str, Any]:
    """Return the settings that follow from the model, where they are not given."""
    real = by == "logits" and (adapter or base not in (None, EMBEDDED_NAME))
    options = given.get("options", WORDS if real else LETTERS)
    return {
        "transform": "norm" if by == "sampling" else "softmax",
        "options": options,
        **({"temperature": 1.0} if options == WORDS else {}),
    }


def _base_of(
    adapter: str, base: str | None, annotator: str, workspace: Workspace
) -> tuple[str, str]:
    """Return base model and annotator of a training's adapter."""
    from capo_core.imitation.generation.trained_adapters import adapter_of_run
    from capo_core.run_folder import find_run

    trained, target, _ = adapter_of_run(find_run(workspace, adapter), annotator)
    return base or trained.base, target


def _bias_in_words(bias: dict[str, Any]) -> str:
    places = ", ".join(map(number, bias["by_place"]))

    def measured(name: str) -> str:
        if "intervals" not in bias:  # a run of before there were any
            return number(bias[name], 3)
        ((low, high),) = bias["intervals"][name]
        return with_interval(bias[name], low, high, 3)

    text = (
        f"Mean share by position of the option: {places} (n = {count(bias['n'], 'item')}). Two "
        f"orders of the options change an estimate by {measured('one_order')} (TVD)"
    )
    if bias["averaged"] is None:
        return f"{text}."
    return f"{text}; two means over half of the orders, by {measured('averaged')}."


def _showing(found, config: EstimateConfig, explanations) -> tuple[Any, EstimateConfig]:
    """Return the judgments with these explanations, and the settings that show them."""
    source = str(explanations["source"].iloc[0])
    return found.with_explanations(explanations), replace(config, explanations=source)


def _chosen(found, config: EstimateConfig, way: str, votes: Path | None, workspace: Workspace):
    """Return the selected explanations as a table; see `explanations.select_explanations`."""
    from capo_core.distributions.explanations import select_explanations
    from capo_core.distributions.files import read_votes
    from capo_core.text.embeddings import Embedder

    return select_explanations(
        found, config.explanations, config.count, way, embed=Embedder(workspace.cache),
        votes=read_votes(votes) if votes else None,
    )  # fmt: skip


@plain_errors
@with_options(ExplainConfig, without=("mode",), names={"by": "guided_by"})
def explain(
    given: dict[str, Any],
    out: Annotated[Path, typer.Option(help="Output file of the explanations (JSON lines).")],
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    base: Base = None,
    server: Server = None,
    precision: Precision = "auto",
    batch_tokens: BatchTokens = BATCH_TOKENS,
    allow_embedded: AllowEmbedded = False,
    as_json: AsJson = False,
) -> None:
    """Generate explanations of labels by a model; pass the file to --file to use them."""
    from capo_core.cli.generate import backend_of
    from capo_core.distributions.explanations import explain as write
    from capo_core.distributions.files import write_explanations
    from capo_core.imitation.embedded_base.suitability import check_suitable

    found = judgments_of(file, dataset, labels)
    config = changed(ExplainConfig(), {**given, "mode": GUIDED if given.get("by") else LABEL_FREE})
    backend = backend_of(base, server, precision, batch_tokens, {})
    check_suitable(found, backend.name, allow_embedded=allow_embedded)
    with progress_bar(quiet=as_json) as progress:
        made = write(found, backend, config, progress=progress)
    source = _provenance(found, dataset, file, seed=config.seed)
    write_explanations(found, made.frame, out, source.but(models=(Path(backend.name).name,)))
    said = {"file": str(out), "source": str(made.frame["source"].iloc[0]),
            "written": len(made.frame), "wanted": made.wanted, "missing": made.missing}  # fmt: skip
    if as_json:
        print_json(said)
        return
    console.print(
        f"{said['written']} of {made.wanted} explanations by {said['source']}: {out}", markup=False
    )


def do_run(
    kind: str, settings: dict[str, Any], workspace: Workspace, *, queue: bool, as_json: bool
) -> dict[str, Any] | None:
    """Execute a run here and return its result with the run's name; with `queue`, submit it and
    return None.
    """
    from capo_core.run_folder import RunFolder
    from capo_core.runs import submit
    from capo_core.runs.checks import check
    from capo_core.runs.foreground import foreground
    from capo_core.runs.kinds import execute
    from capo_core.runs.request import RunRequest

    request = RunRequest(kind, settings)
    check(request)
    if queue:
        submitted = submit.submit(workspace, kind, settings)
        if as_json:
            print_json({"run": submitted.run_id})
        else:
            console.print(f"queued: {submitted.run_id}", markup=False)
        return None
    folder = RunFolder(workspace.runs / submit.run_name(request))
    if not folder.done:
        with (
            progress_bar(quiet=as_json) as shown,
            foreground(workspace, folder, kind=kind, settings=settings, progress=shown) as progress,
        ):
            execute(request, workspace, folder, progress)
    result = {**folder.result, "run": folder.run_id}
    if as_json:
        print_json(result)
    return result


def mount_soft_labels(app: typer.Typer) -> None:
    """Add the command `train` to the group `distributions`."""
    app.command("train", cls=ManyValues)(train)


@plain_errors
@with_options(
    SoftLabelConfig, names={"sources": "source"}, defaults={"sources": "the reference (--against)"}
)
def train(
    given: dict[str, Any],
    file: Annotated[
        list[Path] | None, typer.Option("--file", help="JSON files of the training set.")
    ] = None,
    dataset: Data = None,
    development: Annotated[
        str, typer.Option(help="Development set, for selecting the epoch: a file or a dataset.")
    ] = "",
    test: Annotated[list[str] | None, typer.Option(help="Test sets: files or datasets.")] = None,
    run: Annotated[list[str] | None, typer.Option(help="Finished estimates to train on.")] = None,
    labels: Labels = None,
    queue: Queued = False,
    out: Annotated[Path | None, typer.Option(help="Output file of the result (JSON).")] = None,
    as_json: AsJson = False,
) -> None:
    """Train classifiers on label distributions, and compare the sources as training signals."""
    from capo_core.distributions import store
    from capo_core.distributions.soft_labels import DEVELOPMENT, TEST

    workspace = Workspace.default()
    found = judgments_of(file, dataset, labels)
    if run:
        found = store.with_runs(found, run, workspace)
    if not development:
        raise ConfigError("there is no development set", todo="provide one (--development)")
    # Not `changed`: what the encoder decides is decided when the settings are made.
    config = SoftLabelConfig(**{"sources": (given.get("against", CROWD),), **given})
    named = {DEVELOPMENT: development}
    for nth, name in enumerate(test or ()):
        named[TEST if not nth else f"{TEST} {Path(name).stem}"] = name
    sets = {}
    for name, place in named.items():
        is_file = Path(place).suffix in (".json", ".jsonl")
        one = judgments_of([Path(place)] if is_file else None, None if is_file else place, labels)
        sets[name] = store.save(one, workspace)
    settings = {
        "dataset": found.name,
        "judgments": store.save(found, workspace),
        "sets": sets,
        "config": config.to_dict(),
    }
    result = do_run("softlabel", settings, workspace, queue=queue, as_json=as_json)
    if result is None:
        return
    if out is not None:
        source = _provenance(found, dataset, file, run)
        seeds = {"seeds": tuple(config.seeds)} if hasattr(config, "seeds") else {}
        write_json(out, with_provenance(result, source.but(models=(config.encoder,), **seeds)))
    if not as_json:
        _show_training(result)


def _show_training(result: dict[str, Any]) -> None:
    table = Table("set", "trained on", box=None, title=f"Classifiers on {result['dataset']}")
    measures = list(dict.fromkeys(row["measure"] for row in result["scores"]))
    for measure in measures:
        table.add_column(measure, justify="right")
    table.add_column("n", justify="right")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in result["scores"]:
        rows.setdefault((row["set"], row["source"]), {})[row["measure"]] = row
    for (name, source), by in rows.items():
        cells = [with_interval(*(by[m][k] for k in ("value", "low", "high")), 3) for m in measures]
        table.add_row(name, source, *cells, f"{by[measures[0]]['n']:,}")
    console.print(table, markup=False)
    _show_differences(result["differences"])
    least = ", ".join(f"{number(v, 3)} ({k})" for k, v in result["least_cross_entropy"].items())
    console.print(
        f"\nAgainst {result['settings']['against']}; intervals {result['interval']}. Cross-entropy "
        f"is at least the crowd's own entropy: {least}.",
        markup=False,
    )
    console.print(f"run {result['run']}", markup=False, soft_wrap=True)


def _show_differences(rows: list[dict[str, Any]]) -> None:
    """Print differences on sets not used for selecting the epoch, if any; without cross-entropy,
    whose differences equal those of KL.
    """
    shown = [row for row in rows if row["measure"] != "cross-entropy"]
    shown = [row for row in shown if row["set"] != "development"] or shown
    table = Table("set", "trained on", "minus", box=None, title="\nDifferences")
    for measure in dict.fromkeys(row["measure"] for row in shown):
        table.add_column(measure, justify="right", no_wrap=True)
    pairs: dict[tuple[str, str, str], list[str]] = {}
    for row in shown:
        pairs.setdefault((row["set"], row["source"], row["against"]), []).append(
            f"{row['value']:+.3f} [{row['low']:+.3f} to {row['high']:+.3f}]"
        )
    for key, cells in pairs.items():
        table.add_row(*key, *cells)
    console.print(table, markup=False)


Out = Annotated[Path | None, typer.Option(help="Output file of the full result (JSON).")]

# On a terminal; --json has all measures.
SHOWN = (JSD, TVD, KL, SHAPE, WASSERSTEIN)

app = typer.Typer(
    help="Label distributions of people and models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount(parent: typer.Typer) -> None:
    """Add the group `distributions` to `parent`."""
    app.command("compare", cls=ManyValues)(compare)
    app.command("variation", cls=ManyValues)(variation)
    mount_estimates(app)
    mount_soft_labels(app)
    parent.add_typer(app, name="distributions")


def judgments_of(files: list[Path] | None, dataset: str | None, labels: list[str] | None):
    """Return the items and sources named on the command line."""
    if not files and not dataset:
        raise ConfigError("no data is named", todo="add --file FILE or --dataset NAME")
    from capo_core.distributions.files import merge_judgments, read_judgments

    read = []
    if dataset:
        from capo_core.data.catalog import Catalog
        from capo_core.distributions.sources import dataset_judgments

        read.append(dataset_judgments(Catalog(Workspace.default()).load(dataset)))
        labels = labels or list(read[0].task.scale.labels)
    read += [read_judgments(path, labels) for path in files or ()]
    found = read[0]
    for other in read[1:]:
        found = merge_judgments(found, other)
    return found


def _provenance(
    found: Judgments,
    dataset: str | None,
    files: list[Path] | None,
    runs: list[str] | None = None,
    seed: int | None = None,
) -> Provenance:
    """Return the provenance of a result on these judgments."""
    from capo_core.data.catalog import Catalog
    from capo_core.distributions.provenance import judgments_provenance
    from capo_core.run_folder import find_run

    workspace = Workspace.default()
    return judgments_provenance(
        found,
        Catalog(workspace).load(dataset) if dataset else None,
        runs=[find_run(workspace, name) for name in runs or ()],
        files=[path.name for path in files or ()],
        seed=seed,
    )


@plain_errors
@with_options(CompareConfig)
def compare(
    given: dict[str, Any],
    file: Files = None,
    dataset: Data = None,
    run: Annotated[
        list[str] | None, typer.Option(help="Names of finished estimates or generations.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Sources to compare. Default: all.")
    ] = None,
    measure: Annotated[
        str, typer.Option(help=f"Distance of the headline: {', '.join(DISTANCES)}.")
    ] = JSD,
    labels: Labels = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output file: a report (.html, .md), or the full result (JSON)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare sources with the crowd on their common items: which is closest, with intervals."""
    from capo_core.distributions.compare import compare as measure_all
    from capo_core.distributions.ranking import rank
    from capo_core.distributions.report import DistributionReport

    config = CompareConfig(**given)
    measure = _measure(measure)
    found = judgments_of(file, dataset, labels)
    if run:
        from capo_core.distributions.store import with_runs

        found = with_runs(found, run, Workspace.default())
    result = DistributionReport(found, rank(found, config, sources=source), measure)
    _check_measure(result, measure)
    provenance = _provenance(found, dataset, file, run, seed=config.seed)
    written_report = out is not None and _write_report(result, out, provenance)
    if as_json or (out is not None and not written_report):
        # The values of each source on all its own items, as in earlier builds.
        plain = {**measure_all(found, config, sources=source).to_dict(), **result.to_dict()}
        if out is not None and not written_report:
            write_json(out, with_provenance(plain, provenance))
        if as_json:
            print_json(plain)
            return
    _show_comparison(result)
    if written_report:
        console.print(f"written: {out}", markup=False, soft_wrap=True)


def _measure(name: str) -> str:
    """Return the distance of this name or title, in any case."""
    for each in DISTANCES:
        if name.lower() in (each.lower(), measure_title(each).lower()):
            return each
    raise ConfigError(f"{name!r} is no distance", expected=", ".join(DISTANCES), option="--measure")


def _check_measure(result, measure: str) -> None:
    if measure not in result.ranking.measures and result.ranking.measures:
        raise ConfigError(
            f"{measure} needs an ordinal scale", todo="choose another distance", option="--measure"
        )


def _write_report(result, path: Path, provenance: Provenance) -> bool:
    """Write a report for people, where the file's name asks for one; return whether it did."""
    from capo_core.distributions.report import to_html, to_markdown
    from capo_core.run_folder import disk_errors
    from capo_core.workspace import atomic_file

    writer = {".html": to_html, ".md": to_markdown}.get(path.suffix.lower())
    if writer is not None:
        with disk_errors(path), atomic_file(path, "w") as file:
            file.write(writer(result, provenance))
    return writer is not None


def _show_comparison(result) -> None:
    from capo_core.distributions.ranking import ASIDE
    from capo_core.distributions.report import LEGEND, header
    from capo_core.distributions.wording import called, in_words

    console.print(in_words(result.headline), markup=False)
    for remark in result.remarks:
        console.print(in_words(remark), markup=False)
    rows = result.rows()
    if rows:
        title = f"\n{result.ranking.name}: distance to {called(result.ranking.against)}"
        table = Table("source", box=None, title=title)
        measures = [name for name in SHOWN if name in result.measures]
        for each in measures:
            table.add_column(header(each), justify="right")
        table.add_column("n", justify="right")
        for row in rows:
            cells = [
                Text(row.cells[each], style="bold" if each in row.bold else "") for each in measures
            ]
            name = row.title + (" (not ranked)" if row.role == ASIDE else "")
            table.add_row(Text(name), *cells, f"{row.n:,}")
        console.print(table, markup=False)
        console.print(f"\n{LEGEND}", markup=False)
    for note in (*result.notes(), *result.judgments.notes):
        console.print(note, markup=False)


@plain_errors
@with_options(VariationConfig)
def variation(
    given: dict[str, Any],
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Sources of explanations. Default: all, each on its own."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure the similarity of explanations of one item: lexical, syntactic and semantic."""
    from capo_core.distributions.variation import variation as measure

    found = judgments_of(file, dataset, labels)
    config = VariationConfig(**given)
    with progress_bar(quiet=as_json) as progress:
        result = measure(
            found, config, sources=source, cache=Workspace.default().cache, progress=progress
        )
    if out is not None:
        source = _provenance(found, dataset, file, seed=config.seed)
        write_json(out, with_provenance(result.to_dict(), source))
    if as_json:
        print_json(result.to_dict())
        return
    table = Table("explanations", "measure", "", box=None, title=f"{result.name}: similarity")
    table.add_column("value", justify="right")
    table.add_column("items", justify="right")
    for row in result.table.itertuples():
        shown = with_interval(row.value, row.low, row.high, 3) if row.n else "undefined"
        table.add_row(row.source, row.measure, f"n = {row.ngram}" if row.ngram else "", shown,
                      f"{row.n:,}")  # fmt: skip
    console.print(table, markup=False)
    for note in result.notes:
        console.print(note, markup=False)
