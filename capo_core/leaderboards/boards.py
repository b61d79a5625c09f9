"""Boards: datasets of the shared task LeWiDi-2025, their scoring rules and published rows.

Third edition of Learning with Disagreements (Leonardelli et al. 2025, arXiv 2510.08460). A board is
scored twice: task B ("perspectivist") compares predicted labels of every annotator, task A ("soft")
the predicted distribution of an item's labels. Both are distances, so that lower is better.

The published rows are those of Sorensen & Choi 2025 (Opt-ICL, arXiv 2510.07105, table of the
introduction) for task B, to the digits printed there, and of Staliūnaitė & Vlachos 2025 for task A.
One more board is one more entry of `BOARDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from capo_core.errors import ConfigError

ORDINAL, SINGLE, SEVERAL = "ordinal", "one label", "several labels"
CONTENT, EXPLANATION = "content", "explanation"
# Never in one table: a system that reads the annotator's own explanation solves another task.
TRACKS: Mapping[str, str] = MappingProxyType(
    {
        CONTENT: "the item's texts only",
        EXPLANATION: "the annotator's own explanations of the test items",
    }
)
PERSPECTIVE, SOFT = "perspective", "soft"
TASKS: Mapping[str, str] = MappingProxyType(
    {PERSPECTIVE: "Task B, every annotator's labels", SOFT: "Task A, label distribution"}
)


@dataclass(frozen=True)
class PublishedRow:
    """A published row of a board.

    Attributes:
        scores: by task, as printed: the digits of the text are those of the source.
        ranks: by task, as printed; "" where none is.
        baseline: whether it reads neither text nor explanation, so that it belongs to both tracks.
        recomputed: the system of ours (`systems.SYSTEMS`) that computes the same; "" for none.
    """

    name: str
    source: str
    scores: Mapping[str, str]
    ranks: Mapping[str, str]
    baseline: bool = False
    recomputed: str = ""


@dataclass(frozen=True)
class Board:
    """A dataset of a shared task.

    Attributes:
        kind: ORDINAL, SINGLE (nominal, one label each) or SEVERAL (any number of labels each).
        labels: in the order of the scale.
        divisor: of the absolute distance (ORDINAL): the number of labels, as the organisers'
            scorer has it; its description says one fewer.
        file: beginning of the names of the organisers' files.
        items: number of items of the published parts, by part of ours, where it is known.
        test_texts: beginning of `cells.texts_hash` of the published test part.
        explained: whether the files have the annotators' explanations.
        scored_by: by task, the measure in words.
    """

    name: str
    title: str
    kind: str
    labels: tuple[str, ...]
    divisor: int
    file: str
    items: Mapping[str, int]
    test_texts: str
    explained: bool
    scored_by: Mapping[str, str]
    published: tuple[PublishedRow, ...] = ()

    @property
    def tracks(self) -> tuple[str, ...]:
        return tuple(TRACKS) if self.explained else (CONTENT,)


OPT_ICL = "Sorensen & Choi 2025, arXiv 2510.07105"
_DISTANCE = "mean absolute distance divided by {n}"
_MOVED = "Wasserstein distance over {n} bins"


def _published(
    own: tuple[str, str],
    best: tuple[str, str, str],
    frequent: tuple[str, str],
    chance: str,
) -> tuple[PublishedRow, ...]:
    """Return the rows of Opt-ICL's table: (score, rank), (score, rank, team), and baselines."""
    return (
        PublishedRow("Opt-ICL", OPT_ICL, {PERSPECTIVE: own[0]}, {PERSPECTIVE: own[1]}),
        PublishedRow(
            f"{best[2]} (best other team)", OPT_ICL, {PERSPECTIVE: best[0]}, {PERSPECTIVE: best[1]}
        ),
        PublishedRow(
            "Most frequent label", OPT_ICL, {PERSPECTIVE: frequent[0]}, {}, True, frequent[1]
        ),
        PublishedRow("Random label (one draw)", OPT_ICL, {PERSPECTIVE: chance}, {}, True),
    )


BOARDS: Mapping[str, Board] = MappingProxyType(
    {
        board.name: board
        for board in (
            Board(
                "paraphrase",
                "Paraphrase",
                ORDINAL,
                tuple(map(str, range(-5, 6))),
                11,
                "Paraphrase",
                {"train": 400, "validation": 50, "test": 50},
                "85ac2f18bab19b01",
                True,
                {PERSPECTIVE: _DISTANCE.format(n=11), SOFT: _MOVED.format(n=11)},
                _published(
                    (".119", "2, tie"), (".080", "1", "twinther"), (".362", "frequent"), ".367"
                ),
            ),
            Board(
                "varierr",
                "VariErrNLI",
                SEVERAL,
                ("entailment", "neutral", "contradiction"),
                1,
                "VariErrNLI",
                {"train": 388, "validation": 50, "test": 50},
                "da9554ad01c4866a",
                True,
                {
                    PERSPECTIVE: "share of wrong (annotator, label) cells",
                    SOFT: "Manhattan distance of given and not given, mean over labels",
                },
                (
                    *_published(
                        (".270", "2, tie"), (".124", "1", "twinther"), (".345", "nothing"), ".497"
                    ),
                    PublishedRow(
                        "Uncertain (Mis)Takes",
                        "Staliūnaitė & Vlachos 2025, NLPerspectives",
                        {SOFT: ".31"},
                        {SOFT: "1, tie"},
                    ),
                ),
            ),
            Board(
                "csc",
                "CSC",
                ORDINAL,
                tuple(map(str, range(1, 7))),
                6,
                "CSC",
                {"validation": 704, "test": 704},
                "381e0f59fd563f8d",
                False,
                {PERSPECTIVE: _DISTANCE.format(n=6), SOFT: _MOVED.format(n=6)},
                _published(
                    (".156", "1"), (".172", "2", "DeMeVa"), (".239", "frequent"), ".352"
                ),
            ),
            Board(
                "mp",
                "MP",
                SINGLE,
                ("0", "1"),
                1,
                "MP",
                {"train": 12017, "validation": 3005, "test": 3756},
                "f49a950d57f82af9",
                False,
                {
                    PERSPECTIVE: "error rate",
                    SOFT: "Manhattan distance over 2 bins",
                },
                _published(
                    (".289", "1"), (".300", "2", "DeMeVa"), (".316", "frequent"), ".499"
                ),
            ),
        )
    }
)  # fmt: skip


def find_board(name: str) -> Board:
    """Return the board of this name, in any case.

    Raises:
        ConfigError: there is none.
    """
    wanted = name.strip().casefold()
    for board in BOARDS.values():
        if wanted in (board.name, board.title.casefold(), board.file.casefold()):
            return board
    raise ConfigError(
        f"there is no board {name!r}",
        expected=f"one of {', '.join(BOARDS)}",
        option="--dataset",
    )


def check_track(board: Board, track: str) -> str:
    """Return the track's name.

    Raises:
        ConfigError: it is none, or the board has no explanations.
    """
    if track not in TRACKS:
        raise ConfigError(
            f"there is no track {track!r}", expected=f"one of {', '.join(TRACKS)}", option="--track"
        )
    if track not in board.tracks:
        raise ConfigError(
            f"{board.title} has no explanations, so that the track {track!r} does not exist for it",
            todo=f"use the track {CONTENT!r}",
            option="--track",
        )
    return track
