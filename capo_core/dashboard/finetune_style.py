"""The colours of a run's states, and the few styles of the page Fine-tune."""

from __future__ import annotations

from capo_core.dashboard.run_words import STATES
from capo_core.dashboard.theme import NEUTRAL, OKABE_ITO
from capo_core.dashboard.words import escape

_COLORS = {
    "running": OKABE_ITO[0],
    "succeeded": OKABE_ITO[2],
    "failed": OKABE_ITO[1],
    "broken": OKABE_ITO[1],
    "lost": OKABE_ITO[4],
}

CSS = """<style>
.capo-run-head { margin: 0 0 0.2rem 0; font-size: 1.05rem; line-height: 1.5; }
.capo-run-head b { font-weight: 600; }
.capo-state { white-space: nowrap; margin-right: 0.7rem; }
.capo-state::before {
  content: ""; display: inline-block; width: 0.62em; height: 0.62em; border-radius: 50%;
  margin-right: 0.4em; background: var(--who);
}
.capo-step { opacity: 0.72; font-size: 0.88rem; }
.st-key-finetune-will { position: sticky; top: 4rem; }
@media (max-width: 1150px) {
  [class*="st-key-capo-row-finetune"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock
    > .stColumn:first-child { flex-basis: 30%; }
}
</style>"""


def state_html(state: str) -> str:
    """The state's name beside its colour."""
    color = _COLORS.get(state, NEUTRAL)
    return (
        f'<span class="capo-state" style="--who:{color}">{escape(STATES.get(state, state))}</span>'
    )


def head_html(title: str, state: str, words: str = "") -> str:
    """A run's or an experiment's name, where it stands, and a word about it."""
    about = f'<span class="capo-label">{escape(words)}</span>' if words else ""
    return f'<p class="capo-run-head"><b>{escape(title)}</b>&ensp;{state_html(state)}{about}</p>'


def figures_html(figures: list[tuple[str, str]]) -> str:
    """Numbers with their names above them."""
    cells = "".join(
        f"<div><span>{escape(name)}</span><b>{escape(value)}</b></div>" for name, value in figures
    )
    return f'<div class="capo-figures">{cells}</div>'
