"""`python -m capo_core study analyse | simulate-judges | export-pairs`: results of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capo_core.cli.options import with_options
from capo_core.cli.support import console, plain_errors, print_json
from capo_core.provenance import PEOPLE, SIMULATED, UNKNOWN
from capo_core.study.analysis.analysis import AnalysisSettings
from capo_core.study.analysis.preference_pairs import PairFilter
from capo_core.study.simulated_judges import (
    SimulatedJudges,
    SimulatedJudgesConfig,
    SourceEffects,
    simulate_judgments,
)
from capo_core.workspace import Workspace, atomic_file

if TYPE_CHECKING:
    import pandas as pd

    from capo_core.study.analysis.judge_quality import Prior
    from capo_core.study.analysis.report import StudyReport

Study = Annotated[str, typer.Argument(help="A study (study list).")]
Answers = Annotated[
    Path | None,
    typer.Option(help="Judgments from a file (.csv, .jsonl) instead of the study's own."),
]
Mu = Annotated[
    list[str] | None,
    typer.Option(
        help="Prior on how often one source's text is better than another's: human:sft=0.8, or "
        "human:sft=0.8/40 for a prior worth 40 comparisons."
    ),
]
FORMATS = (".json", ".md", ".tex")


def add(study_app: typer.Typer) -> None:
    """Add the commands on results to the group `study`."""
    for name, command in (
        ("analyse", analyse),
        ("simulate-judges", simulate_judges),
        ("export-pairs", export_pairs),
    ):
        study_app.command(name)(command)


@plain_errors
@with_options(
    AnalysisSettings, only=("seed", "crowd_models"), names={"crowd_models": "crowd-model"}
)
def analyse(
    given: dict[str, Any],
    study: Study,
    out: Annotated[
        list[Path] | None, typer.Option(help="Output files (.json, .md, .tex); repeatable.")
    ] = None,
    answers: Answers = None,
    mu: Mu = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Analyse an unblinded study: accuracy, preferences, agreement and judge quality."""
    from capo_core.errors import ConfigError
    from capo_core.study.analysis.latex_report import to_latex
    from capo_core.study.analysis.report import to_json, to_markdown

    writers = {".json": to_json, ".md": to_markdown, ".tex": to_latex}
    wrong = [path for path in out or [] if path.suffix not in FORMATS]
    if wrong:
        raise ConfigError(f"{wrong[0].name} has an unknown ending", expected=", ".join(FORMATS))
    report = _report(study, answers, AnalysisSettings(priors=_priors(mu), **given))
    for path in out or []:
        with atomic_file(path, "w") as file:
            file.write(writers[path.suffix](report))
    if as_json:
        print_json(report.to_dict())
    elif out:
        console.print(f"Written: {', '.join(str(path) for path in out)}", markup=False)
    else:
        console.print(to_markdown(report), markup=False, soft_wrap=True)


@plain_errors
@with_options(SimulatedJudgesConfig)
def simulate_judges(
    given: dict[str, Any],
    study: Study,
    out: Annotated[Path, typer.Argument(help="Output file (.csv or .jsonl).")],
    strength: Annotated[
        list[str] | None,
        typer.Option(help="Strength of a source in comparisons, in log-odds: human=0.8"),
    ] = None,
    likeness: Annotated[
        list[str] | None, typer.Option(help="Likeness of a source to its target, 0 to 1: sft=0.6")
    ] = None,
) -> None:
    """Simulate judges who answer a design, frozen or not, to see what it can find."""
    from capo_core.study.design import draft as design_draft
    from capo_core.study.owner.export import as_text
    from capo_core.study.provenance import study_provenance

    draft = design_draft.load(Workspace.default(), study)
    config = SimulatedJudgesConfig(**given)
    judges = SimulatedJudges.drawn(draft.assignments["judge_slot"].nunique(), config)
    effects = SourceEffects(_named(strength, "--strength"), _named(likeness, "--likeness"))
    simulated = simulate_judgments(draft, judges, config.seed, effects, study_id=study)
    made = study_provenance(
        Workspace.default(), draft, judges=SIMULATED, judgments=simulated.judgments
    )
    made = made.but(details=(("judges' seed", str(config.seed)),))
    text = as_text(simulated.judgments, out.suffix.removeprefix("."), made)
    with atomic_file(out, "w") as file:
        file.write(text)
    console.print(
        f"{len(simulated.judgments)} simulated judgments by {judges.n} judges: {out}. Try: study "
        f"analyse {study} --answers {out}",
        markup=False,
        soft_wrap=True,
    )


@plain_errors
@with_options(PairFilter)
def export_pairs(
    given: dict[str, Any],
    study: Study,
    out: Annotated[Path, typer.Argument(help="Output file (.jsonl).")],
    answers: Answers = None,
    mu: Mu = None,
) -> None:
    """Export preference pairs (prompt, chosen, rejected) from the comparisons, for training.

    By majority of the votes, with how many there were; --rule quality weights them by the judges'
    attentiveness, where that is known; --rule none makes one pair per vote.
    """
    from capo_core.data.catalog import Catalog
    from capo_core.errors import StudyError
    from capo_core.study.analysis.judge_quality import estimate
    from capo_core.study.analysis.preference_pairs import pairs_of, selection_words, write_pairs
    from capo_core.study.design import draft as design_draft
    from capo_core.study.provenance import study_provenance

    workspace = Workspace.default()
    chosen_by = PairFilter(**given)
    draft = design_draft.load(workspace, study)
    judgments = _judgments(study, answers)
    quality = estimate(judgments, _priors(mu))
    if quality is None:
        raise StudyError(
            "the study has no comparisons", where=study, expected="trials of the kind comparison"
        )
    dataset = Catalog(workspace).load(draft.config.dataset)
    pairs = pairs_of(draft, dataset, judgments, quality, chosen_by)
    made = study_provenance(workspace, draft, judges=_judged_by(answers), judgments=judgments)
    write_pairs(pairs, out, made.but(n=(("pair", len(pairs)), *made.n)))
    console.print(
        f"{len(pairs)} preference pairs: {out}. Their items are from the {draft.config.split} "
        "split: a run that trains on them must not be scored on it.",
        markup=False,
        soft_wrap=True,
    )
    for words in selection_words(judgments, pairs, chosen_by):
        console.print(words, markup=False, soft_wrap=True)


def _report(study: str, answers: Path | None, settings: AnalysisSettings) -> StudyReport:
    from capo_core.errors import StudyError
    from capo_core.study.analysis.make_report import make_report
    from capo_core.study.design import draft as design_draft
    from capo_core.study.design import freeze

    workspace = Workspace.default()
    draft = design_draft.load(workspace, study)
    try:
        frozen = freeze.verify(workspace, study)
    except StudyError:
        if answers is None:  # judgments of people count on a study that is what it was
            raise
        frozen = None
    judgments = _judgments(study, answers)
    return make_report(
        workspace, draft, judgments, settings, frozen=frozen, judges=_judged_by(answers)
    )


def _judged_by(answers: Path | None) -> str:
    """Return who judged: people in the study itself; in a file, whom the file says."""
    if answers is None:
        return PEOPLE
    from capo_core.study.owner.export import judgments_provenance

    found = judgments_provenance(answers)
    return found.judges if found is not None else UNKNOWN


def _judgments(study: str, answers: Path | None) -> pd.DataFrame:
    if answers is not None:
        from capo_core.study.owner.export import read_judgments

        return read_judgments(answers)
    from capo_core.study.owner.service import StudyService
    from capo_core.study.store import open_store

    return StudyService(open_store(Workspace.default())).export_judgments(study)


def _priors(given: list[str] | None) -> list[Prior]:
    """Return priors from texts such as human:sft=0.8 or human:sft=0.8/40."""
    from capo_core.study.analysis.judge_quality import Prior

    priors = []
    for text in given or []:
        names, _equals, number = text.partition("=")
        stronger, _colon, weaker = names.partition(":")
        mu, _slash, strength = number.partition("/")
        priors.append(Prior(stronger, weaker, _number(mu, text), _number(strength or "0", text)))
    return priors


def _named(given: list[str] | None, option: str) -> dict[str, float]:
    found = {}
    for text in given or []:
        name, _equals, number = text.partition("=")
        found[name] = _number(number, f"{option} {text}")
    return found


def _number(text: str, where: str) -> float:
    from capo_core.errors import ConfigError

    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a number", where=where, expected="name=number"
        ) from None
