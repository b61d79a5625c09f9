"""`python -m capo_core distributions estimate | explain`: what needs a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from capo_core.cli_support import ManyValues, console, plain_errors, print_json, shown_progress
from capo_core.errors import ConfigError
from capo_core.workspace import Workspace

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", help="JSON with distributions; several about the same items."),
]
Data = Annotated[
    str | None, typer.Option("--dataset", help="A dataset of the catalog (data list).")
]
Labels = Annotated[
    list[str] | None, typer.Option(help="The labels' order in the file; else NLI's.")
]
Base = Annotated[str | None, typer.Option(help="'embedded', a model's folder, or its hub name.")]
Server = Annotated[str | None, typer.Option(help="A model of the server at CAPO_SERVER_URL.")]
Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16.")]
Items = Annotated[int, typer.Option(help="Only the first so many items; 0: all.")]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Queued = Annotated[bool, typer.Option("--queue", help="Put it into the queue of runs instead.")]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file to the group `distributions`."""
    app.command("estimate", cls=ManyValues)(estimate)
    app.command("explain", cls=ManyValues)(explain)


@plain_errors
def estimate(
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    base: Base = None,
    server: Server = None,
    by: Annotated[
        str | None,
        typer.Option(help="logits (a base), logprobs or sampling (a server, or any model)."),
    ] = None,
    samples: Annotated[int, typer.Option(help="sampling: answers drawn to a question.")] = 20,
    explanations: Annotated[
        str, typer.Option(help="A source of explanations, such as humans; none otherwise.")
    ] = "",
    count: Annotated[int, typer.Option(help="At most so many explanations; 0: all.")] = 0,
    choose: Annotated[
        str,
        typer.Option(help="Of --count: first, longest, greedy, representative, human-preferred."),
    ] = "first",
    votes: Annotated[
        Path | None, typer.Option(help="human-preferred: CSV of item_id, source, position, votes.")
    ] = None,
    how: Annotated[str, typer.Option(help="serial or parallel.")] = "serial",
    explicit: Annotated[bool, typer.Option("--explicit", help="Show their labels, too.")] = False,
    replace_by: Annotated[
        str, typer.Option(help="A source to replace explanations by, of the same labels.")
    ] = "",
    replace_share: Annotated[float, typer.Option(help="The share replaced, 0 to 1.")] = 1.0,
    options: Annotated[str, typer.Option(help="letters, or labels (a base only).")] = "letters",
    orders: Annotated[str, typer.Option(help="Of the options: all, rotations, one.")] = "all",
    transform: Annotated[str, typer.Option(help="softmax or norm.")] = "",
    temperature: Annotated[float, typer.Option(help="Of the softmax; 20 as published.")] = 20.0,
    run: Annotated[
        list[str] | None, typer.Option(help="Generations whose explanations may be shown.")
    ] = None,
    items: Items = 0,
    seed: Seed = 0,
    precision: Precision = "auto",
    batch_tokens: Annotated[int, typer.Option(help="Tokens computed at once.")] = 16384,
    queue: Queued = False,
    as_json: AsJson = False,
) -> None:
    """What a model says people would say: label distributions from first tokens."""
    from capo_core.cli_distributions import judgments_of
    from capo_core.distributions import kept
    from capo_core.distributions.estimate_config import EstimateConfig
    from capo_core.distributions.select import replaced

    workspace = Workspace.default()
    found = judgments_of(file, dataset, labels)
    if run:
        found = kept.with_runs(found, run, workspace)
    if replace_by:
        made, missing = replaced(found, explanations, replace_by, replace_share, seed=seed)
        found, explanations = found.with_explanations(made), str(made["source"].iloc[0])
        if missing and not as_json:
            console.print(f"{missing} explanations could not be replaced: no model's for the label")
    if count and choose != "first":
        made = _chosen(found, explanations, count, choose, votes, workspace)
        found, explanations = found.with_explanations(made), str(made["source"].iloc[0])
    by = by or ("sampling" if server else "logits")
    config = EstimateConfig(
        explanations=explanations, count=count, how=how, explicit=explicit, options=options,
        orders=orders, transform=transform or ("norm" if by == "sampling" else "softmax"),
        temperature=temperature, items=items,
    )  # fmt: skip
    settings: dict[str, Any] = {
        "dataset": found.name,
        "judgments": kept.keep(found, workspace),
        **({"server": server} if server else {"base": base or "embedded"}),
        "by": by,
        **({"samples": samples} if by == "sampling" else {}),
        **({"precision": precision} if precision != "auto" else {}),
        **({"batch_tokens": batch_tokens} if batch_tokens != 16384 else {}),
        "config": config.to_dict(),
    }
    if server and base:
        raise ConfigError("name one model", todo="leave out --base or --server")
    result = do_run("estimate", settings, workspace, queue=queue, as_json=as_json)
    if result is None or as_json:
        return
    console.print(f"{result['name']}: {result['n']} items, {result['questions']} questions")
    for problem, number in result["left_out"].items():
        console.print(f"left out: {number} items ({problem})", markup=False)
    for note in result.get("notes", ()):
        console.print(f"note: {note}", markup=False)
    if result["position_bias"]:
        console.print(_bias_in_words(result["position_bias"]), markup=False)
    console.print(f"compare it: distributions compare … --run {result['run']}", markup=False)


def _bias_in_words(bias: dict[str, Any]) -> str:
    places = ", ".join(f"{share:.2f}" for share in bias["by_place"])

    def measured(name: str) -> str:
        if "intervals" not in bias:  # a run of before there were any
            return f"{bias[name]:.3f}"
        ((low, high),) = bias["intervals"][name]
        return f"{bias[name]:.3f} [{low:.3f}–{high:.3f}]"

    text = (
        f"Mean share by place of the option: {places} (n = {bias['n']} items). Two orders of the "
        f"options move an estimate by {measured('one_order')} (TVD)"
    )
    if bias["averaged"] is None:
        return f"{text}."
    return f"{text}; two means over half of the orders, by {measured('averaged')}."


def _chosen(found, source: str, count: int, way: str, votes: Path | None, workspace: Workspace):
    """The explanations chosen, as a table; see `distributions.select`."""
    from capo_core.distributions.select import select
    from capo_core.distributions.votes import read_votes
    from capo_core.text.embed import Embedder

    return select(
        found, source, count, way, embed=Embedder(workspace.cache),
        votes=read_votes(votes) if votes else None,
    )  # fmt: skip


@plain_errors
def explain(
    out: Annotated[Path, typer.Option(help="Where to write the explanations, as JSON lines.")],
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    base: Base = None,
    server: Server = None,
    guided_by: Annotated[
        str, typer.Option(help="A source of labels to explain; every label otherwise.")
    ] = "",
    count: Annotated[int, typer.Option(help="Explanations of each label.")] = 1,
    tries: Annotated[int, typer.Option(help="Draws where an answer cannot be used.")] = 3,
    items: Items = 0,
    seed: Seed = 0,
    precision: Precision = "auto",
    batch_tokens: Annotated[int, typer.Option(help="Tokens computed at once.")] = 16384,
    as_json: AsJson = False,
) -> None:
    """Have a model explain labels; the file can be read by --file beside the data's own."""
    from capo_core.cli_distributions import judgments_of
    from capo_core.cli_models import backend_of
    from capo_core.distributions.explain import GUIDED, LABEL_FREE, ExplainConfig
    from capo_core.distributions.explain import explain as write
    from capo_core.distributions.write_file import write_explanations

    found = judgments_of(file, dataset, labels)
    config = ExplainConfig(
        mode=GUIDED if guided_by else LABEL_FREE, by=guided_by, count=count, tries=tries,
        items=items, seed=seed,
    )  # fmt: skip
    backend = backend_of(base, server, precision, batch_tokens, {})
    with shown_progress(quiet=as_json) as progress:
        made = write(found, backend, config, progress=progress)
    write_explanations(found, made.frame, out)
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
    """Do it here, or put it into the queue (then None); its result with the run's name."""
    from capo_core.imitation.run_folder import RunFolder
    from capo_core.jobs import submission
    from capo_core.jobs.foreground import foreground
    from capo_core.jobs.request import Request
    from capo_core.jobs.run_kinds import check, do

    request = Request(kind, settings)
    check(request)
    if queue:
        submitted = submission.submit(workspace, kind, settings)
        if as_json:
            print_json({"run": submitted.run_id})
        else:
            console.print(f"in the queue: {submitted.run_id}", markup=False)
        return None
    folder = RunFolder(workspace.runs / submission.name_of(request))
    if not folder.done:
        with (
            shown_progress(quiet=as_json) as shown,
            foreground(workspace, folder, kind=kind, settings=settings, progress=shown) as progress,
        ):
            do(request, workspace, folder, progress)
    result = {**folder.result, "run": folder.run_id}
    if as_json:
        print_json(result)
    return result
