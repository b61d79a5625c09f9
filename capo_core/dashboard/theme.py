"""Colours and words that are the same on every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Okabe & Ito (2008), colour-blind safe. Their black cannot be seen on dark ground and is a grey
# here; the yellow, faint on white, comes last.
OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8A8F94",
    "#C9B800",
)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")
DASHES = ("solid", "dash", "dot", "dashdot")
NEUTRAL = "#8A8F94"
FAINT = "rgba(138, 143, 148, 0.28)"


@dataclass(frozen=True)
class Look:
    """How one annotator is drawn, wherever they are drawn."""

    color: str
    symbol: str
    dash: str


def looks(annotators: Sequence[str]) -> dict[str, Look]:
    """A look per annotator, fixed by their order; from the ninth on, dashes and markers change."""
    found = {}
    for position, annotator in enumerate(annotators):
        round_, place = divmod(position, len(OKABE_ITO))
        found[annotator] = Look(
            OKABE_ITO[place],
            SYMBOLS[(place + round_) % len(SYMBOLS)],
            DASHES[round_ % len(DASHES)],
        )
    return found


# The methods, each with its name, colour, marker and dash: none of these colours is an annotator's.
METHODS = {
    "zero_shot": ("Zero-shot", "#7D8CA3", "circle", "dot"),
    "icl": ("In context", "#3FA39A", "square", "dashdot"),
    "profile": ("Profile", "#9A9433", "diamond", "dash"),
    "sft": ("SFT", "#6470DB", "triangle-up", "solid"),
    "capo": ("CAPO", "#CF3A75", "star", "solid"),
}
_MORE_METHODS = ("#A9714B", "#8A62B8", "#5E9A4C", "#B3586B", "#4E8FB0")

# The reductions, each with its colour, marker and dash: a family apart from the annotators'.
REDUCTIONS = {
    "none": ("Whole text", "#6B7280", "circle", "solid"),
    "mask_input": ("Input words masked", "#2F6FB0", "square", "solid"),
    "residual": ("Input predicted away", "#2A9D8F", "diamond", "dash"),
    "subspace": ("Input directions removed", "#9467BD", "triangle-up", "dot"),
    "style_only": ("Manner words only", "#C98A1B", "star", "dashdot"),
}
REPRESENTATIONS = {
    "embedding": "Meaning",
    "words": "Wording",
    "characters": "Spelling",
    "stylometry": "Style features",
}
CONTROLS = {
    "shuffled": "Annotators shuffled",
    "shuffled_within_label": "Shuffled among equal labels",
    "random_mask": "Random words masked",
    "random_subspace": "Random directions removed",
    "residual_shuffled": "Another item's input predicted away",
    "label": "Label only",
    "length": "Length only",
    "input": "Item's texts only",
    "others_mean": "Mean of the others only",
    "item_centred": "Centred on the item (leaks)",
    "raw": "Text as typed",
    "formatting": "Formatting only",
    "same_label": "Whose is whose, equal labels",
}


def reduction_name(name: str) -> str:
    return REDUCTIONS[name][0] if name in REDUCTIONS else plain(name)


def representation_name(name: str) -> str:
    return REPRESENTATIONS.get(name) or plain(name)


def control_name(name: str) -> str:
    return CONTROLS.get(name) or plain(name)


def human_look(*, dark: bool) -> Look:
    """The people's own texts beside methods: in the colour of ink, whatever the theme."""
    return Look("#E6E9ED" if dark else "#20262C", "star-diamond", "solid")


def method_name(source: str) -> str:
    """ "zero_shot (Qwen3-4B)" → "Zero-shot (Qwen3-4B)"."""
    head, space, rest = source.partition(" ")
    return METHODS[head][0] + space + rest if head in METHODS else source


def method_looks(sources: Sequence[str]) -> dict[str, Look]:
    """A look per method. Those of one way (two models, say) share its colour, not its marker."""
    found: dict[str, Look] = {}
    heads: list[str] = []
    for source in sources:
        head = source.partition(" ")[0]
        again = heads.count(head)
        heads.append(head)
        if head in METHODS:
            _, color, symbol, dash = METHODS[head]
        else:
            place = len([name for name in found if name.partition(" ")[0] not in METHODS])
            color = _MORE_METHODS[place % len(_MORE_METHODS)]
            symbol, dash = SYMBOLS[place % len(SYMBOLS)], DASHES[place % len(DASHES)]
            again = 0
        if again:
            symbol = SYMBOLS[(SYMBOLS.index(symbol) + again) % len(SYMBOLS)]
            dash = DASHES[again % len(DASHES)]
        found[source] = Look(color, symbol, dash)
    return found


def plain(name: str) -> str:
    """An inner name as words: "same_label" → "Same label"."""
    return name.replace("_", " ").strip().capitalize()
