"""Commands that let a language model estimate judgments, and explain labels.

python -m capo_core distributions estimate | explain
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capo_core.cli.judgments import (
    AsJson,
    Base,
    BatchTokens,
    Data,
    Files,
    Labels,
    Precision,
    Queued,
    Server,
    do_run,
    judgments_of,
    provenance_of,
)
from capo_core.cli.options import changed, with_options
from capo_core.cli.support import (
    AllowEmbedded,
    ManyValues,
    console,
    plain_errors,
    print_json,
    print_results,
    progress_bar,
)
from capo_core.distributions.estimate import EstimateConfig
from capo_core.distributions.explanations import GUIDED, LABEL_FREE, ExplainConfig
from capo_core.distributions.option_prompts import LETTERS, WORDS
from capo_core.errors import ConfigError
from capo_core.formatting import count, number, with_interval
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.models.registry import EMBEDDED_NAME
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from capo_core.distributions.judgments import Judgments


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
    from capo_core.distributions.store import with_runs
    from capo_core.runs.kinds.distributions import check_estimate

    if server and (base or adapter):
        raise ConfigError("two models are named", todo="remove --base, --adapter or --server")
    by = by or ("sampling" if server else "logits")
    workspace = Workspace.default()
    if adapter:
        base, annotator = adapter_model(adapter, base, annotator, workspace)
    config = changed(EstimateConfig(), {**estimate_defaults(by, base, adapter, given), **given})
    found = judgments_of(file, dataset, labels)
    if run:
        found = with_runs(found, run, workspace)
    if replace_by:
        found, config = _replaced(found, config, replace_by, replace_share, seed, quiet=as_json)
    if config.count and choose != "first":
        found, config = _showing(found, config, _chosen(found, config, choose, votes, workspace))
    settings = estimate_settings(
        found, config, workspace, by=by, base=base or "embedded", server=server, samples=samples,
        adapter=adapter, annotator=annotator, precision=precision, batch_tokens=batch_tokens,
        allow_embedded=allow_embedded,
    )  # fmt: skip
    check_estimate(found, settings)
    result = do_run("estimate", settings, workspace, queue=queue, as_json=as_json)
    if result is not None and not as_json:
        _print_estimate(result, provenance_of(found, dataset, file))


def _print_estimate(result: dict[str, Any], source: Provenance) -> None:
    sizes = f"{count(result['n'], 'item')}, {count(result['questions'], 'question')}"
    console.print(f"{result['name']}: {sizes}")
    for problem, left_out in result["left_out"].items():
        console.print(f"left out: {count(left_out, 'item')} ({problem})", markup=False)
    for note in result.get("notes", ()):
        console.print(f"note: {note}", markup=False)
    if result["position_bias"]:
        print_results(source, _bias_in_words(result["position_bias"]))
    console.print(f"compare it: distributions compare … --run {result['run']}", markup=False)


def estimate_settings(
    found: Judgments,
    config: EstimateConfig,
    workspace: Workspace,
    *,
    by: str,
    base: str,
    server: str | None = None,
    samples: int = 0,
    adapter: str,
    annotator: str,
    precision: str,
    batch_tokens: int,
    allow_embedded: bool,
) -> dict[str, Any]:
    """Return the settings of a run of kind "estimate"; saves the judgments it names.

    Settings at their default are left out, so that a run keeps its name when an option is added.
    """
    from capo_core.distributions import store

    return {
        "dataset": found.name,
        "judgments": store.save(found, workspace),
        **({"server": server} if server else {"base": base}),
        "by": by,
        **({"samples": samples} if by == "sampling" else {}),
        **({"precision": precision} if precision != "auto" else {}),
        **({"batch_tokens": batch_tokens} if batch_tokens != BATCH_TOKENS else {}),
        **({"adapter": adapter} if adapter else {}),
        **({"annotator": annotator} if annotator else {}),
        **({"allow_embedded": True} if allow_embedded else {}),
        "config": config.to_dict(),
    }


def estimate_defaults(
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


def adapter_model(
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


def _replaced(
    found: Judgments,
    config: EstimateConfig,
    source: str,
    share: float,
    seed: int,
    *,
    quiet: bool,
) -> tuple[Judgments, EstimateConfig]:
    """Return the judgments with a share of the shown explanations replaced by those of `source`,
    and the settings that show them; print how many could not be replaced."""
    from capo_core.distributions.explanations import replace_explanations

    made, missing = replace_explanations(found, config.explanations, source, share, seed=seed)
    if missing and not quiet:
        console.print(f"{count(missing, 'explanation')} not replaced: the model has none")
    return _showing(found, config, made)


def _showing(
    found: Judgments, config: EstimateConfig, explanations: pd.DataFrame
) -> tuple[Judgments, EstimateConfig]:
    """Return the judgments with these explanations, and the settings that show them."""
    source = str(explanations["source"].iloc[0])
    return found.with_explanations(explanations), replace(config, explanations=source)


def _chosen(
    found: Judgments, config: EstimateConfig, way: str, votes: Path | None, workspace: Workspace
) -> pd.DataFrame:
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
    source = provenance_of(found, dataset, file, seed=config.seed)
    write_explanations(found, made.frame, out, source.but(models=(Path(backend.name).name,)))
    said = {"file": str(out), "source": str(made.frame["source"].iloc[0]),
            "written": len(made.frame), "wanted": made.wanted, "missing": made.missing}  # fmt: skip
    if as_json:
        print_json(said)
        return
    console.print(
        f"{said['written']} of {made.wanted} explanations by {said['source']}: {out}", markup=False
    )
