"""Colours and words that are the same on every page.

The few styles that Streamlit's theme has no words for.

Only mixtures of the current text colour are used, so that light and dark theme both come out right
without this code knowing which one is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.imitation.prompting.prompts import METHOD_TITLES
from capo_core.stability.controls import control_title
from capo_core.text.reductions import REDUCTIONS, reduction_title
from capo_core.text.representations import representation_title

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


# Colour, marker and dash of each method: none of these colours is an annotator's.
METHOD_LOOKS = {
    "zero_shot": ("#7D8CA3", "circle", "dot"),
    "icl": ("#3FA39A", "square", "dashdot"),
    "profile": ("#9A9433", "diamond", "dash"),
    "sft": ("#6470DB", "triangle-up", "solid"),
    "capo": ("#CF3A75", "star", "solid"),
}
_MORE_METHODS = ("#A9714B", "#8A62B8", "#5E9A4C", "#B3586B", "#4E8FB0")

# Colour, marker and dash of the reductions, by their place in `text.reductions.REDUCTIONS`: a
# family apart from the annotators'.
_REDUCTION_LOOKS = (
    ("#6B7280", "circle", "solid"),
    ("#2F6FB0", "square", "solid"),
    ("#2A9D8F", "diamond", "dash"),
    ("#9467BD", "triangle-up", "dot"),
    ("#C98A1B", "star", "dashdot"),
    ("#B3586B", "cross", "solid"),
    ("#5E9A4C", "x", "dash"),
    ("#8A62B8", "pentagon", "dot"),
)


def reduction_look(name: str) -> Look:
    """Return the look of a reduction, by its place in the registry; neutral for an unknown one."""
    if name not in REDUCTIONS:
        return Look(NEUTRAL, "circle", "solid")
    return Look(*_REDUCTION_LOOKS[list(REDUCTIONS).index(name) % len(_REDUCTION_LOOKS)])


def reduction_name(name: str) -> str:
    """Return the title of a reduction or of its control; an unknown name as words."""
    return _titled(reduction_title(name), name)


def representation_name(name: str) -> str:
    """Return the title of a representation; an unknown name as words."""
    return _titled(representation_title(name), name)


def control_name(name: str) -> str:
    """Return the title of a control; an unknown name as words."""
    return _titled(control_title(name), name)


def _titled(title: str, name: str) -> str:
    return plain(name) if title == name else title


def human_look(*, dark: bool) -> Look:
    """The people's own texts beside methods: in the colour of ink, whatever the theme."""
    return Look("#E6E9ED" if dark else "#20262C", "star-diamond", "solid")


def method_name(source: str) -> str:
    """ "zero_shot (Qwen3-4B)" → "Zero-shot (Qwen3-4B)"."""
    head, space, rest = source.partition(" ")
    return METHOD_TITLES[head] + space + rest if head in METHOD_TITLES else source


def method_looks(sources: Sequence[str]) -> dict[str, Look]:
    """A look per method. Those of one way (two models, say) share its colour, not its marker."""
    found: dict[str, Look] = {}
    heads: list[str] = []
    for source in sources:
        head = source.partition(" ")[0]
        again = heads.count(head)
        heads.append(head)
        if head in METHOD_LOOKS:
            color, symbol, dash = METHOD_LOOKS[head]
        else:
            place = len([name for name in found if name.partition(" ")[0] not in METHOD_LOOKS])
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


CSS = """<style>
.block-container { max-width: 1280px; }
.stApp h1 { letter-spacing: -0.01em; line-height: 1.25; padding-bottom: 0.25rem; }
.capo-says { font-size: 1.12rem; line-height: 1.55; max-width: 62rem; margin: 0 0 0.35rem 0; }
.capo-note { opacity: 0.72; font-size: 0.93rem; max-width: 62rem; margin: 0; }
.capo-simulated {
  margin: 0; padding: 0.45rem 0.8rem; font-size: 0.93rem; border-left: 3px solid #C98A1B;
  background: color-mix(in srgb, #C98A1B 11%, transparent);
}
.capo-chain h3 { margin: 0 0 0.3rem 0; font-size: 1rem; padding: 0; }
.capo-chain p { margin: 0; font-size: 0.95rem; line-height: 1.5; overflow-wrap: anywhere; }
.capo-chain .capo-what { opacity: 0.72; font-size: 0.88rem; margin-bottom: 0.5rem; }
.capo-answers {
  display: grid; gap: 0.8rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr));
}
/* Four stand two by two: a fourth alone under three looks left over. */
.capo-answers:has(> :nth-child(4):last-child) {
  grid-template-columns: repeat(auto-fit, minmax(max(17rem, 40%), 1fr));
}
.capo-answer {
  border-left: 3px solid var(--who, currentColor); padding: 0.15rem 0 0.15rem 0.8rem;
  min-width: 0;
}
.capo-answer .capo-head { font-size: 0.88rem; margin: 0 0 0.2rem 0; }
.capo-answer .capo-head b { font-weight: 600; }
.capo-label { opacity: 0.75; }
.capo-text {
  margin: 0; line-height: 1.55; white-space: pre-wrap; overflow-wrap: anywhere;
}
.capo-input { opacity: 0.38; }
mark {
  background: color-mix(in srgb, #E69F00 34%, transparent); color: inherit; border-radius: 2px;
  padding: 0 0.1em;
}
.capo-item {
  background: color-mix(in srgb, currentColor 4%, transparent); border-radius: 6px;
  padding: 0.8rem 1rem; margin-bottom: 0.9rem;
}
.capo-item p { margin: 0 0 0.35rem 0; line-height: 1.5; overflow-wrap: anywhere; }
.capo-item p:last-child { margin: 0; }
.capo-role { opacity: 0.65; font-size: 0.85rem; margin-right: 0.5rem; }
.capo-dot {
  display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.4em;
  background: var(--who, currentColor);
}
@media (max-width: 1150px) {
  [class*="st-key-capo-pair"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock {
    flex-direction: column;
  }
  [class*="st-key-capo-pair"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn {
    width: 100%; flex: 1 1 auto;
  }
  [class*="st-key-capo-row"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock,
  [class*="st-key-capo-four"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock {
    flex-wrap: wrap;
  }
  [class*="st-key-capo-four"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn {
    flex: 1 1 45%; min-width: 45%;
  }
  [class*="st-key-capo-row"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn {
    flex: 1 1 30%; min-width: 30%;
  }
  [class*="st-key-capo-row"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock
    > .stColumn:first-child { flex-basis: 100%; }
}
.capo-house { font-weight: 650; font-size: 1.05rem; margin: 0; letter-spacing: 0.01em; }
.stMain [data-testid="stPageLink"] a p { text-decoration: underline; text-underline-offset: 0.2em; }
.capo-figures { display: flex; flex-wrap: wrap; gap: 0.6rem 2.2rem; }
.capo-figures div span { display: block; font-size: 0.85rem; opacity: 0.7; }
.capo-figures div b { font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
</style>"""
