"""Datasets small enough to be quick, and pages as a browser would get them by their address."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from streamlit import config as streamlit_config
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from capo_core.cli.start import SCRIPT
from capo_core.data.splits import assign_splits
from capo_core.dataset import Dataset
from capo_core.stability.config import StabilityConfig
from capo_core.task import NLI

# As `streamlit run` does: the configuration beside the script is read.
streamlit_config._main_script_path = str(SCRIPT)
streamlit_config.get_config_options(force_reparse=True)

ROOT = Path(__file__).resolve().parents[2]
TINY = StabilityConfig(
    representations=("words",),
    reductions=("none",),
    pool=(1, 2),
    seeds=1,
    permutations=20,
    controls=False,
)
MANNERS = {
    "ann": "clearly the text says so, as we can read",
    "bob": "maybe, but it is not known from the context",
    "cyd": "no mention of this in the premise at all",
}


def make(name: str, annotators=tuple(MANNERS), items: int = 24, text="{}") -> Dataset:
    """Annotators with a manner each; `text` wraps every text of the dataset."""
    rng = np.random.default_rng(0)
    things = ["dog", "cat", "train", "river", "house", "lamp"]
    rows = [
        (f"i{n}", text.format(f"The {things[n % 6]} number {n} is here"), text.format("It moves"))
        for n in range(items)
    ]
    frame = pd.DataFrame(rows, columns=["item_id", "text_a", "text_b"]).assign(split="")
    said = []
    for item_id, *_ in rows:
        for who in annotators:
            manner = MANNERS.get(who, MANNERS["ann"]).split()
            words = rng.permutation(manner)[:6]
            label = NLI.scale.labels[int(rng.integers(3))]
            said.append((f"{item_id}-{who}", item_id, who, label, text.format(" ".join(words))))
    annotations = pd.DataFrame(
        said, columns=["annotation_id", "item_id", "annotator_id", "label", "explanation"]
    ).assign(valid="unknown")
    return assign_splits(
        Dataset(name, NLI, frame, annotations, origin=text.format("made for a test"))
    )


def open_page(page: str, **query: str) -> AppTest:
    """The page as a browser would get it by its address."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=240)  # a busy machine
    for key, value in query.items():
        app.query_params[key] = value
    app._page_hash = calc_hash(page)  # as for an address; `switch_page` knows files only
    return app.run()


def fine(app: AppTest) -> str:
    """All that the page says; without an exception and without an error message."""
    assert not app.exception, [one.value for one in app.exception]
    assert not app.error, [one.value for one in app.error]
    return shown(app)


def labels(app: AppTest) -> set[str]:
    """The labels of the page's buttons."""
    return {button.label for button in app.button}


def shown(app: AppTest) -> str:
    """All that the page says, in one text."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "text",
        "error",
        "warning",
        "info",
    )
    parts = [str(one.value) for kind in kinds for one in getattr(app, kind)]
    parts += [one.proto.body for one in app.get("html")]
    return "\n".join(parts)
