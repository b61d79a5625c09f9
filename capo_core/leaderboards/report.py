"""A board as text: Markdown and LaTeX; the published rows stand first, in a block of their own."""

from __future__ import annotations

from capo_core.dataset import Dataset
from capo_core.export_formats import latex_table, markdown_section
from capo_core.leaderboards.board import OURS, BoardRow, Leaderboard
from capo_core.leaderboards.boards import TASKS
from capo_core.provenance import Provenance

NO_DIFFERENCE = "="  # marks a row without a significant difference from the lowest one
LEGEND = (
    "Lower is better. 95 % intervals, Student's, over test items. “=”: no significant difference "
    "from the lowest row of ours (sign flips by item, Holm-adjusted over all pairs of ranked rows "
    "of this track). Published rows have no interval."
)


HEADER = ("row", "task B", "task A", "n")


def measures(board: Leaderboard) -> str:
    """Return sentences on what the columns measure, and what differences these items detect."""
    found = (f"{TASKS[task]}: {board.spec.scored_by[task]}" for task in TASKS)
    return f"{'. '.join(found)}. {LEGEND} {board.detectable()}".strip()


def cells(row: BoardRow) -> list[str]:
    """Return a row's cells as text, in the order of `HEADER`."""
    marks = {task: f" {NO_DIFFERENCE}" if row.tied.get(task) else "" for task in TASKS}
    size = f"{row.n:,} items, {row.answered:,} cells" if row.kind == OURS else ""
    place = f" ({row.rank})" if row.rank else ""
    aside = "" if row.whole else " (not ranked)"
    shown = [row.shown(task) + marks[task] for task in TASKS]
    return [row.title + place + aside, *shown, size]


def reproduction(board: Leaderboard) -> list[str]:
    """Return a sentence on each published baseline that our scorer computed again."""
    return [
        f"Published “{one['row']}” {one['printed']}; recomputed {one['value']:.4f}"
        + (": the same to the printed digits." if one["agrees"] else ": not the same.")
        for one in board.reproduced
    ]


def outdated(board: Leaderboard, dataset: Dataset) -> str:
    """Return why a saved board is not one of the dataset as it is now, as a clause; "" if it is."""
    if board.provenance.fingerprint != dataset.fingerprint:
        return f"The saved board is of another dataset ({board.dataset})"
    if not board.split:
        return "The saved board does not say of which split it is"
    if board.split != dataset.split_fingerprint:
        return f"The saved board is of another split of these items ({board.dataset})"
    return ""


def to_markdown(board: Leaderboard, provenance: Provenance) -> str:
    """Return a board as Markdown."""
    names = HEADER
    blocks = [("Published", board.published), (f"Ours, track {board.track}", board.ours)]
    lines = [f"# {provenance.titled(board.title)}", ""]
    lines += [provenance.marked(board.headline()), ""]
    for title, rows in blocks:
        lines += [f"## {title}", "", f"| {' | '.join(names)} |", "|---|" + "---:|" * 3]
        lines += [f"| {' | '.join(cells(row))} |" for row in rows]
        lines.append("")
    lines += [measures(board), ""]
    lines += [f"- {text}" for text in (*reproduction(board), *board.notes)]
    lines += [f"- {row.title}: {row.note}" for row in board.ours if row.note]
    lines += ["", *markdown_section(provenance)]
    return "\n".join(lines)


def to_latex(board: Leaderboard, provenance: Provenance) -> str:
    """Return a board as a LaTeX table."""
    rows = [cells(row) for row in (*board.published, *board.ours)]
    best = [
        (number, 1 + place)
        for place, task in enumerate(TASKS)
        for number, row in enumerate((*board.published, *board.ours))
        if row.tied.get(task)
    ]
    return latex_table(
        HEADER,
        rows,
        provenance,
        caption=f"{board.title}. {measures(board)} Bold: as “=”.",
        label=f"lewidi-{board.board}-{board.track}",
        bold=best,
    )
