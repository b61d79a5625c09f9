"""`python -m capo_core stability | annotators | calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.options import changed, with_options
from capo_core.cli.result_file import check_ending
from capo_core.cli.support import (
    ManyValues,
    console,
    first_of,
    plain_errors,
    print_json,
    print_results,
    progress_bar,
    renamed,
)
from capo_core.data.catalog import Catalog
from capo_core.data.crowd_counts import require_annotators
from capo_core.errors import DataError
from capo_core.export_formats import with_provenance
from capo_core.formatting import number, percent, percent_interval
from capo_core.provenance import Provenance
from capo_core.stability import calibration, store, tables
from capo_core.stability.calibration import CalibrationConfig
from capo_core.stability.config import QUICK, StabilityConfig
from capo_core.stats.intervals import json_rows
from capo_core.workspace import Workspace, atomic_file, write_json

Name = Annotated[str, typer.Argument(help="A dataset of the catalog (see: data list).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Out = Annotated[Path | None, typer.Option(help="Write the result to this JSON file.")]
ReportOut = Annotated[
    Path | None,
    typer.Option(help="Write the report to this JSON file, or the ladder's table to a .tex file."),
]


# Options that are not called as the setting is.
_SINGULAR = {"representations": "representation", "reductions": "reduction"}


def mount(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    # Options are made here, so that they list the reductions and representations there are now.
    with_settings = with_options(StabilityConfig, names={"embedding_model": "model", **_SINGULAR})
    app.command("stability", cls=ManyValues)(plain_errors(with_settings(stability)))
    app.command("annotators")(annotators)
    with_settings = with_options(CalibrationConfig, names={"strengths": "strength", **_SINGULAR})
    command = renamed("--manner", "--strength")(plain_errors(with_settings(calibrate)))
    app.command("calibrate", cls=ManyValues)(command)


def stability(
    name: Name,
    given: dict[str, Any],
    quick: Annotated[
        bool, typer.Option("--quick", help="Start from the settings of the quick report.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Recompute even if the report is saved already.")
    ] = False,
    out: ReportOut = None,
    item: Annotated[
        str | None,
        typer.Option(help="Print where the explanations of this item fall on the ladder."),
    ] = None,
    by_annotator: Annotated[
        bool,
        typer.Option(
            "--by-annotator",
            help="Print how identifiable each annotator is, at each point of the ladder.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how identifiable the annotators are, from one explanation and from several."""
    check_ending(out, (".json", ".tex"), "a report", bare=True)
    config = changed(QUICK if quick else StabilityConfig(), given)
    workspace = Workspace.default()
    dataset = Catalog(workspace).load(name)
    report = None if again else store.load(dataset.fingerprint, config, workspace)
    if report is None:
        from capo_core.stability.report import compute_report

        with progress_bar(quiet=as_json) as progress:
            report, evidence = compute_report(
                dataset, config, cache=workspace.cache, progress=progress
            )
        store.save(report, evidence, workspace)
    if out is not None and out.suffix.lower() == ".tex":
        with atomic_file(out, "w") as file:
            file.write(tables.ladder_latex(report))
    elif out is not None:
        write_json(out, with_provenance(report.to_dict(), report.provenance))
    if item is not None:
        _print_item(dataset, report, item, as_json)
        return
    if by_annotator:
        _print_by_annotator(dataset, report, as_json)
        return
    if as_json:
        print_json(report.to_dict())
        return
    _print_report(report)
    _print_authors(workspace, dataset)
    if out is not None:
        console.print(f"Report written to {out}", markup=False)


def _evidence(dataset, report):
    """Return the evidence saved with a report; `DataError` where there is none."""
    found = store.load_evidence(dataset.fingerprint, report.config, Workspace.default())
    if found is None:
        raise DataError(
            "the report has no evidence", where=dataset.name, todo="compute it again (--again)"
        )
    return found


def _print_by_annotator(dataset, report, as_json: bool) -> None:
    """Print each annotator's attribution accuracy, by representation, reduction and k."""
    from capo_core.stability import evidence as of_points

    evidence = _evidence(dataset, report)
    found = [
        {"representation": representation, "reduction": reduction, "k": k, **row}
        for representation, reduction in evidence.scores
        for k in report.config.pool
        for row in of_points.by_annotator(evidence.groups(representation, reduction, k)).to_dict(
            "records"
        )
    ]
    if as_json:
        print_json({"dataset": dataset.name, "annotators": found})
        return
    title = report.provenance.titled("Attribution accuracy by annotator, first partition")
    table = Table(box=None, title=title)
    for heading in ("representation", "reduction", "k", "annotator", "accuracy", "of", "taken for"):
        table.add_column(heading, justify="right" if heading in ("k", "of") else "left")
    shown, more = first_of(list(dict.fromkeys(row["annotator_id"] for row in found)))
    for row in found:
        if row["annotator_id"] not in shown:
            continue
        table.add_row(
            row["representation"], row["reduction"], str(row["k"]), str(row["annotator_id"]),
            f"{percent(row['accuracy'])} {percent_interval(row['low'], row['high'])}",
            f"{row['groups']:,}", str(row["taken_for"]),
        )  # fmt: skip
    console.print(table, markup=False)
    if more:
        console.print(f"Annotators: {more}", markup=False)


def _print_item(dataset, report, item: str, as_json: bool) -> None:
    """Print the attribution of each explanation of an item, by representation, reduction and k."""
    evidence = _evidence(dataset, report)
    rows = dataset.annotations[dataset.annotations["item_id"] == item]
    if rows.empty:
        raise DataError(f"there is no item {item!r}", where=dataset.name)
    ids = list(rows["annotation_id"])
    found = [
        {"representation": representation, "k": k, **row}
        for representation in evidence.representations
        for k in report.config.pool
        for row in evidence.points_of(ids, representation, k).to_dict("records")
    ]
    if as_json:
        print_json({"dataset": dataset.name, "item": item, "explanations": found})
        return
    title = report.provenance.titled(f"Attribution of the explanations of {item}")
    table = Table(box=None, title=title)
    for heading in ("annotator", "representation", "reduction"):
        table.add_column(heading)
    for heading in ("k", "attributed to", "margin", "rank"):
        table.add_column(heading, justify="right")
    for row in found:
        table.add_row(
            str(row["annotator_id"]), row["representation"], row["reduction"], str(row["k"]),
            str(row["predicted"]), number(row["margin"]), f"{row['rank']:,} of {row['groups']:,}",
        )  # fmt: skip
    console.print(table, markup=False)


def _print_report(report) -> None:
    source = report.provenance
    print_results(source, *(statement.text for statement in report.statements), end="\n\n")
    _print_agreement(report.agreement.to_frame(), source)
    names, rows = tables.ladder_table(report)
    if not rows:
        return
    table = Table(
        *(name.lower() for name in names[:2]),
        box=None,
        title=source.titled("Attribution accuracy at k explanations"),
    )
    for name in names[2:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)
    console.print(f"\n{tables.ladder_note(report)}", markup=False)


def _print_authors(workspace: Workspace, dataset) -> None:
    """Print the saved attribution by likelihood, if there is one."""
    from capo_core.evaluation.authors import store as authors_store

    found = authors_store.load(workspace, dataset)
    if found is None:
        return
    console.print(f"\nLikeliest author (see: authors {dataset.name})", markup=False)
    for one in found.statements():
        if one.topic in ("headline", "items", "leak"):
            print_results(found.provenance, one.text)


def _print_agreement(rows, source: Provenance) -> None:
    """Print the agreement of labels of all annotators, with its metric."""
    from capo_core.stats.agreement import alpha_sentence
    from capo_core.stats.intervals import Estimate

    numbers = rows.astype({"value": float, "low": float, "high": float})
    for row in numbers[numbers["measure"] == "krippendorff_alpha"].itertuples():
        # Reports of earlier versions did not name the metric.
        metric = getattr(row, "metric", "") or "metric of an earlier version"
        alpha = Estimate(row.value, row.low, row.high, int(row.n_items), row.note)
        print_results(source, alpha_sentence(alpha, metric), end="\n\n")


@plain_errors
def annotators(name: Name, as_json: AsJson = False) -> None:
    """Describe each annotator: label use, distinctive phrases and style features."""
    from capo_core.stability.annotator_profiles import annotator_profiles, compared
    from capo_core.stability.phrases import phrase_reliability, reliability_sentence

    dataset = Catalog(Workspace.default()).load(name)
    require_annotators(dataset)
    profiles = annotator_profiles(dataset)
    reliability = phrase_reliability(dataset)
    if as_json:
        print_json(
            {
                "dataset": dataset.name,
                "fingerprint": dataset.fingerprint,
                "annotators": [profile.to_dict() for profile in profiles],
                "phrase_reliability": json_rows(reliability),
            }
        )
        return
    source = Provenance.of(dataset)
    shown, more = first_of(profiles)
    sentences = {row.annotator_id: reliability_sentence(row) for row in reliability.itertuples()}
    for profile in shown:
        console.rule(f"Annotator {profile.annotator_id}", align="left")
        steady = sentences.get(profile.annotator_id, "")
        print_results(source, *profile.interpretation, *([steady] if steady else []))
        for cue in profile.cues:
            console.print(f"  {cue.text}: {compared(cue)}", markup=False)
        console.print()
    if more:
        console.print(more, markup=False)


def calibrate(given: dict[str, Any], out: Out = None, as_json: AsJson = False) -> None:
    """Check the measures on simulated annotators whose style has a known strength."""
    check_ending(out, (".json",), bare=True)
    config = changed(CalibrationConfig(), given)
    workspace = Workspace.default()
    result = store.load_calibration(config, workspace)
    if result is None:
        with progress_bar(quiet=as_json) as progress:
            result = calibration.calibrate(config, cache=workspace.cache, progress=progress)
        store.save_calibration(result, workspace)
    if out is not None:
        write_json(out, with_provenance(result.to_dict(), result.provenance))
    if as_json:
        print_json(result.to_dict())
        return
    table = Table("style strength", "view", box=None, title="Simulated strength and accuracy found")
    for heading in ("k", "accuracy, mean", "interval covers chance", "p ≤ .05"):
        table.add_column(heading, justify="right")
    for row in result.summary.itertuples():
        table.add_row(
            f"{row.manner:g}", f"{row.representation}, {row.reduction}", str(row.k),
            f"{row.accuracy:.3f}", f"{row.covered} of {row.n}", f"{row.significant} of {row.n}",
        )  # fmt: skip
    console.print(table, markup=False)
