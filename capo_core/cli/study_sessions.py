"""`study invite | open-link | participants | link | revoke | release | status | close | unblind |
export | trials | audit`: sessions of judges."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capo_core.cli.support import console, plain_errors, print_json
from capo_core.formatting import count
from capo_core.study.owner.access import (
    PASSWORD,
    SHORTEST_PASSWORD,
    SignInSettings,
    open_to_local_judges,
)
from capo_core.workspace import Workspace, atomic_file

if TYPE_CHECKING:
    import pandas as pd

    from capo_core.study.owner.invitations import Invitation
    from capo_core.study.owner.service import StudyService

Study = Annotated[str, typer.Argument(help="A frozen study.")]
Judge = Annotated[str, typer.Argument(help="A judge (see: study status).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Days = Annotated[float, typer.Option(help="Days until the link expires.")]
Base = Annotated[str, typer.Option(help="Address of the dashboard for judges.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
HOME = "http://localhost:8501"


def add(study_app: typer.Typer) -> None:
    """Add the commands that concern a study's sessions to the group `study`."""
    for name, command in (
        ("invite", invite),
        ("open-link", open_link),
        ("participants", participants),
        ("link", link),
        ("revoke", revoke),
        ("release", release),
        ("status", status),
        ("close", close),
        ("unblind", unblind),
        ("export", export),
        ("trials", trials),
        ("audit", audit),
    ):
        study_app.command(name)(command)


@plain_errors
def invite(
    study: Study,
    judges: Annotated[int, typer.Option(help="Number of judges.")] = 1,
    days: Days = 30,
    note: Annotated[str, typer.Option(help="Note on these judges; they do not see it.")] = "",
    base: Base = HOME,
    as_json: AsJson = False,
) -> None:
    """Make a link for each judge. A link is shown once, here, and stored nowhere."""
    service = _service()
    service.take_in(Workspace.default(), study)
    _print_links(service.invite(study, judges, days=days, note=note), base, as_json)


@plain_errors
def open_link(
    study: Study,
    places: Annotated[
        int, typer.Option(help="Participants at most; 0: as many as there are sequences.")
    ] = 0,
    parameter: Annotated[
        str,
        typer.Option(help="What the platform adds to the address: PROLIFIC_PID={{%PROLIFIC_PID%}}"),
    ] = "",
    days: Days = 30,
    base: Base = HOME,
    as_json: AsJson = False,
) -> None:
    """Make one link for all participants of a platform; a former one ends."""
    from capo_core.study.design import draft as design_draft

    service, workspace = _service(), Workspace.default()
    service.take_in(workspace, study)
    many = places or design_draft.load(workspace, study).config.judges
    made = service.open_link(study, many, days=days)
    url = made.url(base, parameter)
    if as_json:
        print_json({"url": url, "places": made.places, "expires": made.expires.isoformat()})
        return
    print(url)
    console.print(f"For {count(made.places, 'participant')}. It is shown once.", markup=False)


@plain_errors
def participants(
    study: Study,
    path: Annotated[Path, typer.Argument(help="A file ending in .csv or .jsonl.")],
) -> None:
    """Write who took part, with minutes and completion codes, and no answers: for paying."""
    kind = _kind(path)
    _write(study, _service().participants(study), path, kind)


@plain_errors
def link(judge: Judge, days: Days = 30, base: Base = HOME, as_json: AsJson = False) -> None:
    """Make a new link for a judge who lost the old one; the old one ends."""
    _print_links([_service().new_link(judge, days=days)], base, as_json)


@plain_errors
def revoke(judge: Judge) -> None:
    """End a judge's links for good. The answers stay; open trials are reassigned."""
    _service().revoke(judge)
    console.print(f"{judge} is revoked; the answers stay.", markup=False)


@plain_errors
def release(judge: Judge) -> None:
    """Reassign the open trials of a judge who will not come back."""
    _service().release(judge)
    console.print(f"The open trials of {judge} can be reassigned.", markup=False)


@plain_errors
def status(study: Study, as_json: AsJson = False) -> None:
    """Show judgments collected and the state of each judge, in counts only."""
    found = _service().status(study)
    if as_json:
        print_json(_plain(asdict(found)))
        return
    console.print(
        f"{_called(study)}: {found.state}; {found.filled} of {found.places} judgments collected "
        f"({', '.join(f'{k} {n} of {of}' for k, (n, of) in found.by_kind.items())})",
        markup=False,
    )
    for each in found.judges:
        seen = f"last seen {each.last_seen:%Y-%m-%d %H:%M} UTC" if each.last_seen else "never seen"
        more = f", {each.extra} of them taken over or late" if each.extra else ""
        console.print(
            f"{each.judge_id}  {each.judge_slot or 'reserve'}  {each.state}: {each.done} answered"
            f"{more}, {each.places} planned; {seen}{'; ' + each.note if each.note else ''}",
            markup=False,
            soft_wrap=True,
        )


@plain_errors
def close(study: Study, yes: Yes = False) -> None:
    """Close the study to further answers. This cannot be undone."""
    service = _service()
    found = service.status(study)
    collected = f"{found.filled} of {found.places} judgments are collected."
    _ask(f"{collected} Close {_called(study)} for good?", yes)
    service.close(study)
    console.print(f"{study} is closed.", markup=False)


@plain_errors
def unblind(study: Study, yes: Yes = False) -> None:
    """Join answers with their sources, after closing; noted in the audit log."""
    service = _service()
    _ask(f"Unblind {_called(study)}?", yes)
    service.unblind(study)
    console.print(f"{study} is unblinded.", markup=False)


@plain_errors
def export(
    study: Study,
    path: Annotated[Path, typer.Argument(help="A file ending in .csv or .jsonl.")],
    practice: Annotated[bool, typer.Option("--practice", help="Include practice trials.")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Full answer history, without sources.")
    ] = False,
    texts: Annotated[
        bool,
        typer.Option(
            "--texts", help="Also what was judged: item, label and explanation of every text shown."
        ),
    ] = False,
) -> None:
    """Write the judgments with the order shown and the true sources, after unblinding."""
    from capo_core.errors import ConfigError
    from capo_core.study.owner.trials import with_texts

    service, kind = _service(), _kind(path)
    if history and texts:
        raise ConfigError("--history has no texts", todo="leave out one of the two options")
    if history:
        frame = service.export_history(study)
    else:
        frame = service.export_judgments(study, practice=practice)
    if texts:
        frame = with_texts(frame, service.export_texts(study))
    _write(study, frame, path, kind)


@plain_errors
def trials(
    study: Study,
    path: Annotated[
        Path | None, typer.Argument(help="A file ending in .csv or .jsonl; none prints.")
    ] = None,
    trial: Annotated[
        str, typer.Option(help="Print this trial whole: texts, sources and every answer.")
    ] = "",
    texts: Annotated[
        bool, typer.Option(help="With the texts, in a file; without where a licence forbids it.")
    ] = True,
) -> None:
    """List the trials of an unblinded study with their sources and what judges answered."""
    import pandas as pd
    from rich.markup import escape
    from rich.table import Table

    from capo_core.errors import ConfigError
    from capo_core.study.design import draft as design_draft
    from capo_core.study.owner.trials import sources_in_words, trial_lines, trials_of, with_texts

    service = _service()
    kind = _kind(path) if path is not None else ""
    judged, shown = service.export_judgments(study), service.export_texts(study)
    if trial:
        if path is not None:
            raise ConfigError("one trial is printed", where="--trial", todo="leave out the file")
        of_trial = shown[shown["trial_id"] == trial]
        if of_trial.empty:
            raise ConfigError(
                f"there is no trial {trial!r} in {study}", where="--trial",
                todo=f"list them: study trials {study}",
            )  # fmt: skip
        cards = design_draft.load(Workspace.default(), study).cards
        for line in trial_lines(of_trial, judged[judged["trial_id"] == trial], cards):
            console.print(line, markup=False, soft_wrap=True)
        return
    frame = trials_of(judged, shown)
    if path is not None:
        _write(study, with_texts(frame, shown) if texts else frame, path, kind)
        return
    table = Table("trial", "kind", "purpose", "item", "target", "source", "right", "answers")
    for row in frame.to_dict("records"):
        right = "" if pd.isna(row["right"]) else f"{row['right']}/{row['judgments']}"
        facts = [row[name] for name in ("trial_id", "kind", "purpose", "item_id")]
        cells = (*facts, row["target_annotator_id"], sources_in_words(row), right, row["answers"])
        table.add_row(*map(escape, cells))
    console.print(table)


@plain_errors
def audit(
    study: Study,
    path: Annotated[Path | None, typer.Argument(help="A file ending in .csv or .jsonl.")] = None,
) -> None:
    """Print the audit log, or write it to a file."""
    frame = _service().audit_log(study)
    if path is not None:
        _write(study, frame, path, _kind(path))
        return
    for row in frame.itertuples(index=False):
        console.print(
            f"{row.at}  {row.actor}  {row.event}  {row.details}", markup=False, soft_wrap=True
        )


def _called(study: str) -> str:
    """Return "CAPO against SFT (CAPO-against-SFT)"; the name alone of a study without a title."""
    from capo_core.errors import CapoError
    from capo_core.study.design import draft as design_draft

    try:
        title = design_draft.config_of(Workspace.default(), study).title
    except CapoError:  # its folder is gone or damaged: the database has it all the same
        title = ""
    return f"{title} ({study})" if title else study


def _service() -> StudyService:
    from capo_core.study.owner.service import StudyService
    from capo_core.study.store import open_store

    return StudyService(open_store(Workspace.default()))


def _print_links(invitations: list[Invitation], base: str, as_json: bool) -> None:
    rows = [
        {
            "judge_id": each.judge_id,
            "judge_slot": each.judge_slot,
            "expires": each.expires.isoformat(),
            "url": each.url(base),
        }
        for each in invitations
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        # Plain print: a link must come out whole, however narrow the terminal is.
        print(f"{row['judge_id']}  {row['judge_slot'] or 'reserve'}  {row['url']}")
    console.print("Each link is shown once. Whoever has it acts as that judge.")
    for sentence in local_judges(base):
        console.print(sentence, markup=False, soft_wrap=True)


def local_judges(base: str = HOME) -> list[str]:
    """Return what judges at this computer could do with links for `base`, in a sentence; [] where
    they could do nothing."""
    if not open_to_local_judges(base, SignInSettings.from_environment("127.0.0.1")):
        return []
    return [
        "Judges at this computer can open the owner's pages unless the dashboard is started "
        f"with {PASSWORD} ({SHORTEST_PASSWORD} characters or more) or, for judges alone, by "
        "app --judges-only."
    ]


def _kind(path: Path) -> str:
    from capo_core.errors import ConfigError
    from capo_core.study.owner.export import FORMATS

    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise ConfigError(
            f"{path.name!r} has an unknown ending",
            expected=f"a name that ends in {', '.join(f'.{each}' for each in FORMATS)}",
        )
    return kind


def _write(study: str, frame: pd.DataFrame, path: Path, kind: str) -> None:
    from capo_core.study.owner.export import as_text
    from capo_core.study.provenance import study_provenance

    made = study_provenance(Workspace.default(), study, judgments=frame)
    with atomic_file(path) as file:
        file.write(as_text(frame, kind, made).encode("utf-8"))
    console.print(f"{count(len(frame), 'row')} written to {path}", markup=False, soft_wrap=True)


def _ask(question: str, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True)


def _plain(value: Any) -> Any:
    """Return a JSON-able value: instants as ISO text, tuples as lists."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
