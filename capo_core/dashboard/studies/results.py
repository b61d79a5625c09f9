"""The results of a study: attribution accuracy, preferences and ratings, with agreement, judge
quality, weighted results and all numbers.
"""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.studies import PAGE, cache, charts, compute
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.data import Seen
from capo_core.dashboard.studies.labels import HELP, kind_title
from capo_core.dashboard.ui import exports, url_state
from capo_core.dashboard.ui.components import (
    Field,
    data_grid,
    is_dark,
    section_heading,
    show_figure,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.exports import download_table
from capo_core.dashboard.ui.text import markdown
from capo_core.formatting import (
    capitalised,
    count,
    number,
    number_interval,
    percent,
    percent_interval,
    points,
    points_interval,
    with_interval,
)
from capo_core.study.analysis.analysis import StudyAnalysis
from capo_core.study.analysis.attribution import AS_WRONG, LEFT_OUT
from capo_core.study.analysis.crowd_models import CROWD_MODELS, implementation, missing_package
from capo_core.study.analysis.latex_report import to_latex
from capo_core.study.analysis.report import StudyReport, methods_paragraph
from capo_core.study.analysis.report import sections as report_sections
from capo_core.study.source_names import source_name
from capo_core.study.tables import ATTRIBUTION, COMPARISON, REASONING
from capo_core.study.trial_kinds import TRIAL_KINDS

_PARTS = {
    "agreement": "Inter-annotator agreement",
    "judges": "Per judge",
    "quality": "Judge quality",
    "numbers": "All numbers",
    "methods": "Methods paragraph",
}
_MEASURES = {
    "krippendorff_alpha": "Krippendorff's alpha",
    "fleiss_kappa": "Fleiss' kappa",
    "raw_agreement": "Raw agreement",
}


def show_details(report: StudyReport, name: str, *, tried: bool) -> None:
    """Show what stands behind the results: agreement, judges, their quality, all numbers."""
    section_heading("Details")
    part = url_state.choice(
        st.segmented_control, "Details", list(_PARTS), page=PAGE, key="behind",
        format_func=_PARTS.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    if part == "agreement":
        _agreement(report, name)
    elif part == "judges":
        _conduct(report, name)
    elif part == "quality":
        _quality(report, name, tried=tried)
    elif part == "numbers":
        for title, frame in compute.sections(report.analysis):
            with st.expander(title):
                data_grid(frame, key=f"{PAGE}.all.{title}", alt=f"Table: {title}")
                download_table(frame, key=f"{PAGE}.all.{title}.csv",
                               file_name=f"{name}-{_slug(title)}")  # fmt: skip
    else:
        _methods(report)


def _agreement(report: StudyReport, name: str) -> None:
    rows = report.analysis.agreement
    for row in rows[rows["measure"] == "krippendorff_alpha"].itertuples(index=False):
        said = with_interval(row.value, row.low, row.high)
        why = f" ({row.note})" if row.note else ""
        show_headline(
            f"{kind_title(row.kind)} Krippendorff's alpha ({row.metric}) {said} on "
            f"{row.n_trials:,} trials{why}."
        )
    table(
        rows.assign(
            kind=rows["kind"].map(kind_title),
            measure=rows["measure"].map(lambda each: _MEASURES.get(each, each)),
        ),
        {
            "kind": Field("Trial kind"),
            "measure": Field("Measure", HELP["alpha"]),
            "value": Field("Value", "With its 95 % interval, over trials.", **_NUMBER),
            "n_trials": Field("Trials", "Judged by two or more."),
            "metric": Field("Metric", "How answers are compared."),
            "note": Field("Note"),
        },
        key=f"{PAGE}.agreement",
        file_name=f"{name}-agreement",
    )
    length = report.analysis.length
    section_heading("Length effect", HELP["length"])
    table(
        length,
        {"question": Field("Question", width="large"),
         "odds_ratio": Field("Odds ratio", None, **_NUMBER), "n": Field("n"),
         "note": Field("Note")},
        key=f"{PAGE}.length",
        file_name=f"{name}-length",
    )  # fmt: skip


def _conduct(report: StudyReport, name: str) -> None:
    rows = report.analysis.behaviour
    if len(rows):
        everyone = rows.iloc[0]
        parts = [
            f"{_told(everyone, what, n)} {words}"
            for what, n, words in (
                ("left", "n_sided", "of comparisons decided for the left text"),
                ("same", "n_repeats", "of repeats consistent"),
                ("checks", "n_checks", "of attention checks passed"),
            )
            if everyone[n]
        ]
        none = [
            words
            for n, words in (("n_repeats", "repeats"), ("n_checks", "attention checks"))
            if not everyone[n]
        ]
        if none:
            parts.append(f"no {' and no '.join(none)} were answered")
        show_headline(
            f"All judges together: {', '.join(parts)}; "
            f"{count(round(everyone['seconds_median']), 'second')} per trial (median)."
        )
    shown = pd.DataFrame(
        {
            "judge_id": rows["judge_id"],
            "n": rows["n"],
            **{
                what: [_told(row, what, n) if row[n] else "" for _, row in rows.iterrows()]
                for what, n in _SHARES.items()
            },
            **{name: rows[name] for name in ("flipped_to_side", "cannot_tell", "seconds_median",
                                             "changes")},
        }
    )  # fmt: skip
    table(
        shown,
        {
            "judge_id": Field("Judge"),
            "n": Field("Answers"),
            "left": Field("First", "Comparisons decided for the text shown first, without ties; "
                          "about half is unbiased."),
            "same": Field("Repeat consistency", "Swapped-order repeats answered consistently."),
            "flipped_to_side": Field("Same side",
                                     "Repeats with the same side, so the other text."),
            "checks": Field("Checks passed"),
            "cannot_tell": Field("Undecided", "Ties, and “cannot tell”.", 0, percent=True),
            "seconds_median": Field("Seconds", "Median per trial.", 1),
            "changes": Field("Changed", "Changed answers."),
        },
        key=f"{PAGE}.behaviour",
        file_name=f"{name}-judges",
        download=False,
    )  # fmt: skip
    download_table(rows, key=f"{PAGE}.behaviour.csv", file_name=f"{name}-judges")
    show_note("Empty cell: no data. No judge is excluded because of this table.")


# Share of a judge's behaviour → what it is a share of.
_SHARES = {"left": "n_sided", "same": "n_repeats", "checks": "n_checks"}


def _told(row: pd.Series, what: str, n: str) -> str:
    value, low, high = (row[c] for c in {"checks": ("checks_right", "checks_low", "checks_high")}
                        .get(what, (what, f"{what}_low", f"{what}_high")))  # fmt: skip
    return f"{percent(value)} {percent_interval(low, high)} of {int(row[n]):,}"


def _quality(report: StudyReport, name: str, *, tried: bool) -> None:
    quality = report.analysis.quality
    rows = compute.raw_and_weighted(report.analysis)
    if quality is not None:
        section_heading("Judge attentiveness", HELP["attentiveness"])
        for sentence in quality.sentences:
            show_note(sentence)
        if not tried:
            _prior()
        show_figure(
            charts.attentiveness(quality.judges),
            key=f"{PAGE}.attentiveness",
            file_name=f"{name}-attentiveness",
            alt="Attentiveness of each judge with its interval",
            n=(("vote", int(quality.judges["n_votes"].sum())), ("judge", len(quality.judges))),
        )
        table(
            quality.judges.assign(
                said=[compute.verdict(r) for r in quality.judges.itertuples(index=False)]
            ),
            {"judge_id": Field("Judge"), "said": Field("Attentiveness", HELP["attentiveness"]),
             "n_votes": Field("Votes", "Comparisons without ties."),
             "n_checks": Field("Attention checks"),
             "n_repeats": Field("Repeats"), "n_ties": Field("Ties"),
             "weight": Field("Weight", "Log-odds of a vote being right; 0: no weight.", 2)},
            key=f"{PAGE}.quality",
            file_name=f"{name}-attentiveness",
        )  # fmt: skip
    else:
        show_note("Attentiveness is estimated from comparisons; this study has none.")
    section_heading("Raw and weighted results", HELP["weighted"])
    if rows.empty:
        show_note("No comparisons to weight.")
        return
    show_figure(
        charts.raw_and_weighted(rows),
        key=f"{PAGE}.weighted",
        file_name=f"{name}-weighted",
        alt="Every result raw and weighted by judge quality",
    )
    table(
        rows,
        {"what": Field("Result", width="large"),
         "raw": Field("Raw", text=percent, ends=("raw_low", "raw_high")),
         "weighted": Field("Weighted", HELP["weighted"], text=percent,
                           ends=("weighted_low", "weighted_high")),
         "rests_on": Field("Based on"), "note": Field("Note")},
        key=f"{PAGE}.weighted.table",
        file_name=f"{name}-weighted",
    )  # fmt: skip
    show_note("Attributions are weighted by Dawid-Skene, comparisons by attentiveness.")
    if not tried and len(report.analysis.consensus):
        _further_model(report.analysis, name)


def _further_model(found: StudyAnalysis, name: str) -> None:
    """Offer another model of the judges' attributions, and show what the chosen one says."""
    section_heading("Another model of the judges", HELP["crowd"])
    if missing_package():
        show_note(missing_package())
        return
    url_state.choice(
        st.segmented_control, "Model", ["", *CROWD_MODELS], page=PAGE, key="crowd",
        format_func=lambda key: CROWD_MODELS[key].title if key else "None",
        label_visibility="collapsed",
    )  # fmt: skip
    if not len(found.crowd_consensus):
        return
    model = next(
        one for one in CROWD_MODELS.values() if one.title == found.crowd_skills["model"][0]
    )
    show_note(
        f"{model.title} ({model.paper}): {model.description}. Fitted by {implementation()}, beside "
        "the planned analysis."
    )
    rows = found.crowd_consensus.merge(
        found.consensus[["source", "weighted_right"]], on="source", how="left"
    )
    table(
        rows.assign(source=rows["source"].map(source_name)),
        {"source": Field("Source"), "n_trials": Field("Trials"),
         "right": Field("Attribution accuracy", text=percent, ends=("low", "high")),
         "weighted_right": Field("By Dawid-Skene", text=percent),
         "as_dawid_skene": Field("Same annotator", "Share of trials for which both models name the "
                                 "same annotator.", text=percent),
         "note": Field("Note")},
        key=f"{PAGE}.crowd",
        file_name=f"{name}-{model.name}",
    )  # fmt: skip
    table(
        found.crowd_skills,
        {"judge_id": Field("Judge"), "n": Field("Attributions"),
         "skill": Field(capitalised(model.skill), None, 2)},
        key=f"{PAGE}.crowd.judges",
        file_name=f"{name}-{model.name}-judges",
    )  # fmt: skip


def _prior() -> None:
    with st.expander("Prior on μ"):
        show_note(
            "μ is how often the stronger source's text is the better one. Where judges share no "
            "trials, attentiveness cannot be estimated without it. human:sft=0.8 fixes μ; "
            "human:sft=0.8/40 is a prior worth 40 comparisons. Separate pairs by commas."
        )
        url_state.text("Pairs and μ", page=PAGE, key="mu", placeholder="human:sft=0.8/40")


def _methods(report: StudyReport) -> None:
    show_note(methods_paragraph(report))
    if report.facts.planned:
        st.markdown(f"**Frozen before judging.** {markdown(report.facts.planned)}")
    st.caption("LaTeX version:")
    st.code(to_latex(report), language="latex", wrap_lines=True)


def _slug(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


_COUNTS = {
    "n": Field("n", "Judgments."),
    "judges": Field("Judges"),
    "items": Field("Items"),
    "note": Field("Note", width="medium"),
}
_ENDS = ("low", "high")  # of the 95 % interval, clustered by judge and item
_SHARE = {"text": percent, "ends": _ENDS}
_NUMBER = {"text": number, "ends": _ENDS, "interval": number_interval}


def show(context: PageContext, seen: Seen) -> None:
    """The results of a study that was unblinded."""
    mu, crowd = url_state.get("mu"), url_state.get("crowd")
    if crowd not in CROWD_MODELS or missing_package():
        crowd = ""
    report = cache.report(context.workspace, seen.name, str(seen.status.unblinded), mu, crowd)
    if report is None:
        waiting("Computing the planned analysis …")
        return
    draw(report, seen.name)


HEADLINES = 3  # results in large letters; the others follow in small ones


def draw(report: StudyReport, name: str, *, tried: bool = False) -> None:
    """Every result of a report.

    Args:
        tried: were the judges made up?
    """
    exports.begin(report.provenance.dated())
    found = report.analysis
    told = report.results
    mark = "Simulated judges: " if tried else ""
    show_headline(*(f"{mark}{line}" for line in told[:HEADLINES]))
    if report.scope:
        st.warning(markdown(report.scope))
    for sentence in (*told[HEADLINES:], *found.sentences):
        show_note(sentence)
    looked = charts.looks(_sources(found), dark=is_dark())
    for kind in found.counts["kind"]:
        VIEWS.get(kind, partial(_tables, kind))(found, looked, name)
    show_details(report, name, tried=tried)


def _sources(found: StudyAnalysis) -> list[str]:
    """Return every source in a result."""
    columns = [
        section.table[column]
        for section in report_sections(found)
        for column in ("source", "source_a", "source_b")
        if column in section.table
    ]
    return sorted({source for column in columns for source in column})


def _tables(kind: str, found: StudyAnalysis, looked, name: str) -> None:
    """The results of a kind that has no view of its own."""
    for section in TRIAL_KINDS[kind].sections(found.results[kind], found.annotators):
        if not len(section.table):
            continue
        section_heading(section.title)
        if section.caption:
            show_note(section.caption)
        table(
            section.table,
            {column: Field(column.replace("_", " ").capitalize()) for column in section.table},
            key=f"{PAGE}.{kind}.{_slug(section.title)}",
            file_name=f"{name}-{_slug(section.title)}",
        )


CLUSTERED = "95 % intervals, clustered by judge and item"


def counted(found: StudyAnalysis, kind: str, judgments: int = -1) -> tuple[tuple[str, int], ...]:
    """Return n of a figure: the judgments of a kind that count, their judges and items.

    Args:
        judgments: of those, how many the figure shows; by default all.
    """
    row = found.counts[found.counts["kind"] == kind].iloc[0]
    shown = int(row["main"]) if judgments < 0 else judgments
    return ("judgment", shown), ("judge", int(row["judges"])), ("item", int(row["items"]))


def _accuracy(found, looked, name: str) -> None:
    if not len(found.accuracy):
        return
    section_heading("Attribution accuracy", HELP["accuracy"])
    counting = url_state.choice(
        st.segmented_control, "Cannot tell", [AS_WRONG, LEFT_OUT], page=PAGE, key="counting",
        format_func=lambda each: f"“Cannot tell”{each.removeprefix('cannot tell')}",
        label_visibility="collapsed",
    )  # fmt: skip
    rows = found.accuracy[found.accuracy["counting"] == counting]
    show_figure(
        charts.accuracy(rows, looked, compute.ceiling(rows)),
        key=f"{PAGE}.accuracy",
        file_name=f"{name}-accuracy",
        alt="Attribution accuracy by source",
        intervals=CLUSTERED,
        n=counted(found, ATTRIBUTION, int(rows["n"].sum())),
    )
    table(
        compute.in_words(rows, "source"),
        {
            "source": Field("Source"),
            "value": Field("Accuracy", HELP["accuracy"], **_SHARE),
            **_COUNTS,
            "chance": Field("Chance", "One over the number of annotators.", text=percent),
            "p_value": Field("p, not clustered", "Exact binomial test against chance. It takes "
                             "judgments as independent, which those of one judge or item are not: "
                             "what is significant is decided by the interval, which counts both as "
                             "clusters."),
            "cannot_tell": Field("Cannot tell", "Answers."),
        },
        key=f"{PAGE}.accuracy.table",
        file_name=f"{name}-accuracy",
    )  # fmt: skip
    _equivalence(found.equivalence, f"{name}-equivalence")
    section_heading("Attribution confusion matrix", HELP["confusion"])
    names = list(dict.fromkeys(found.confusion["source"]))
    source = url_state.choice(
        st.segmented_control, "Source", names, page=PAGE, key="source", format_func=source_name,
        where="this study",
        label_visibility="collapsed",
    )  # fmt: skip
    show_figure(
        charts.confusion(found.confusion[found.confusion["source"] == source], dark=is_dark()),
        key=f"{PAGE}.confusion",
        file_name=f"{name}-confusion-{source}",
        alt="Attribution confusion matrix: target by named annotator",
        n=counted(
            found,
            ATTRIBUTION,
            int(found.confusion.loc[found.confusion["source"] == source, "count"].sum()),
        ),
    )


def _wins(found, looked, name: str) -> None:
    if not len(found.wins):
        return
    section_heading("Preference", HELP["wins"])
    show_figure(
        charts.wins(found.wins, looked),
        key=f"{PAGE}.wins",
        file_name=f"{name}-wins",
        alt="Share of comparisons in which the first source was preferred",
        intervals=CLUSTERED,
        n=counted(found, COMPARISON),
    )
    table(
        compute.in_words(found.wins, "source_a", "source_b"),
        {
            "source_a": Field("Source"),
            "source_b": Field("Against"),
            "share_a": Field("Preferred", HELP["wins"], **_SHARE),
            **_COUNTS,
            "wins_a": Field("Wins"),
            "ties": Field("Ties"),
            "wins_b": Field("Losses"),
        },
        key=f"{PAGE}.wins.table",
        file_name=f"{name}-wins",
    )
    _style(found, name)
    _equivalence(found.preference_equivalence, f"{name}-preference-equivalence")
    best = found.preference
    if best is None:
        return
    section_heading("Bradley–Terry strengths", HELP["strength"])
    if best.note:
        show_note(f"{capitalised(best.note)}.")
    rows = best.strengths
    if rows["strength"].notna().any():
        show_figure(
            charts.strengths(rows, looked),
            key=f"{PAGE}.strengths",
            file_name=f"{name}-strengths",
            alt="Strength of each source by the Bradley-Terry model with ties",
            intervals=CLUSTERED,
            n=counted(found, COMPARISON),
        )
    table(
        compute.in_words(rows, "source"),
        {"source": Field("Source"),
         "strength": Field("Strength", HELP["strength"], **_NUMBER), **_COUNTS,
         "wins": Field("Won"), "ties": Field("Ties"), "losses": Field("Lost")},
        key=f"{PAGE}.strengths.table",
        file_name=f"{name}-strengths",
    )  # fmt: skip


def _style(found, name: str) -> None:
    """Preferences with length and overlap held equal, beside the raw ones."""
    if found.style is None:
        return
    section_heading("Style control", HELP["style"])
    if found.style.note:
        show_note(f"{capitalised(found.style.note)}.")
    table(
        compute.in_words(found.style.pairs, "source_a", "source_b"),
        {
            "source_a": Field("Source"),
            "source_b": Field("Against"),
            "raw_a": Field("Preferred", HELP["wins"], text=percent),
            "controlled_a": Field("With style held equal", HELP["style"], **_SHARE),
            **_COUNTS,
            "longer_a": Field("Length ratio", "Words, geometric mean of source / against.", 2),
            "overlap_a": Field("Overlap difference", "Share of words from the input.", text=points),
        },
        key=f"{PAGE}.style",
        file_name=f"{name}-style-control",
    )
    if len(found.style.effects):
        table(
            found.style.effects,
            {"covariate": Field("Covariate"),
             "odds_ratio": Field("Odds ratio", HELP["length"], **_NUMBER), **_COUNTS},
            key=f"{PAGE}.style.effects",
            file_name=f"{name}-style-effects",
        )  # fmt: skip


def _equivalence(rows: pd.DataFrame, file_name: str) -> None:
    """Tests against the margin of the design; nothing where there is no margin."""
    if rows.empty:
        return
    section_heading("Equivalence to the target's own texts", HELP["equivalence"])
    table(
        compute.in_words(rows, "source"),
        {
            "source": Field("Source"),
            "value": Field(
                "Difference",
                "With its 90 % interval.",
                text=points,
                ends=("low", "high"),
                interval=points_interval,
            ),
            "margin": Field("Margin", text=points),
            "p_value": Field("p", "Of both one-sided tests."),
            "verdict": Field("Verdict"),
            "n": Field("n", "Judgments."),
            "note": Field("Note", width="medium"),
        },
        key=f"{PAGE}.{file_name}",
        file_name=file_name,
    )


def _reasoning(found, looked, name: str) -> None:
    if not len(found.reasoning):
        return
    section_heading("Reasoning ratings", HELP["reasoning"])
    show_figure(
        charts.ratings(found.reasoning, looked),
        key=f"{PAGE}.ratings",
        file_name=f"{name}-reasoning",
        alt="Mean rating of reasoning, by source",
        intervals=CLUSTERED,
        n=counted(found, REASONING),
    )
    table(
        compute.in_words(found.reasoning, "source"),
        {"source": Field("Source"), "mean": Field("Mean", HELP["reasoning"], **_NUMBER), **_COUNTS},
        key=f"{PAGE}.ratings.table",
        file_name=f"{name}-reasoning",
    )


VIEWS = {ATTRIBUTION: _accuracy, COMPARISON: _wins, REASONING: _reasoning}
