"""Links to what is not here: which keys of the address each page knows, and what it must say."""

from __future__ import annotations

import html

from capo_core.dashboard.ui.url_state import NAMED
from helpers.pages import open_page, shown

GONE = "no-such-one"
# (page, key of `url_state.NAMED`) → what else the address says, so that the page asks for the key.
CASES: dict[tuple[str, str], dict[str, str]] = {
    ("annotators", "who"): {},
    ("annotators", "than"): {"view": "two"},
    ("annotators", "annotator"): {"view": "items"},
    ("annotators", "label"): {"view": "items"},
    ("annotators", "item"): {"view": "items"},
    ("stability", "who"): {"part": "evidence"},
    ("stability", "report"): {},
    ("compare", "of"): {},
    ("compare", "runs"): {"of": "chosen"},
    ("compare", "target"): {},
    ("compare", "who"): {"part": "habits"},
    ("compare", "method"): {"part": "confusion"},
    ("compare", "training"): {"part": "retention"},
    ("compare", "item"): {"part": "answers"},
    ("compare", "as"): {"part": "answers"},
    ("compare", "given"): {"part": "answers"},
    ("compare", "label"): {"part": "answers"},
    ("distributions", "against"): {},
    ("distributions", "focus"): {},
    ("distributions", "shown"): {},
    ("distributions", "files"): {},
    ("distributions", "item"): {},
    ("distributions", "label"): {},
    ("distributions", "run"): {"part": "training"},
    ("distributions", "swap"): {"part": "explanations"},
    ("finetune", "run"): {"view": "run"},
    ("finetune", "pick"): {"view": "runs"},
    ("studies", "study"): {"view": "study"},
    ("studies", "judge"): {"view": "study", "part": "judges"},
    ("studies", "slot"): {"view": "study", "part": "design"},
    ("studies", "source"): {"view": "study", "part": "results"},
    ("studies", "trial"): {"view": "study", "part": "trials"},
}

# What decides the whole page: without it there is nothing to export.
WHOLE = ("who", "than", "report", "of", "runs", "target", "against", "focus", "shown", "files",
         "run", "study")  # fmt: skip
PARTS = {("stability", "who"), ("compare", "who"), ("distributions", "run")}


def keys_of(page: str) -> list[str]:
    return [key for of, key in CASES if of == page]


def says_it_is_not_here(page: str, key: str, dataset: str, **more: str) -> None:
    """Open the page with a name that nothing has: it says so, shows nothing else, and leaves the
    address as it is; one click goes on without it."""
    value = f'["{GONE}"]' if key == "shown" else GONE
    query = {"dataset": dataset, **more, **CASES[page, key], key: value}
    app = open_page(page, **query)
    assert not app.exception, [one.value for one in app.exception]
    said = html.unescape(shown(app)).replace("\\", "")
    kind = NAMED[key]
    assert f"{kind[0].upper()}{kind[1:]} '{GONE}' is not in " in said, said
    assert {name: app.query_params[name] for name in query} == query
    if key in WHOLE and (page, key) not in PARTS:
        assert not app.get("download_button"), "an export of something else"
    app.button(key=f"{page}.not_here").click().run()
    assert not app.exception, [one.value for one in app.exception]
    assert GONE not in html.unescape(shown(app)) and key not in app.query_params
