"""A small study of the shipped demo's human texts, with names that must never reach a judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd

from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.study.config import StudyConfig
from capo_core.study.design import draft as design_draft
from capo_core.study.judging.judge import Terms
from capo_core.study.owner.invitations import Invitation
from capo_core.study.owner.service import StudyService
from capo_core.study.store import open_store
from capo_core.study.tables import from_cell
from capo_core.workspace import Workspace

STUDY = "narwhal-against-okapi"
SOURCES = {"human": "narwhal", "other_human": "okapi"}  # what the sealed table calls them here
RUN = "run-quagga-77"
NOTE = "wombat from the third floor"
PEOPLE = {
    "A": "ibex-7",
    "B": "lynx-7",
    "C": "tapir-7",
    "D": "dingo-7",
}  # the demo's annotators, renamed


@cache
def _home() -> Workspace:
    """Where the study is drawn, once for all tests."""
    return Workspace(Path(mkdtemp(prefix="capo-drawn-")))


@cache
def _demo() -> Dataset:
    data = Catalog(_home()).load("demo-nli")
    people = data.annotations["annotator_id"].map(PEOPLE)
    return replace(data, annotations=data.annotations.assign(annotator_id=people))


@cache
def _drawn(kinds: tuple[str, ...], trials: int, judges: int, practice: int) -> design_draft.Draft:
    config = StudyConfig(
        name=STUDY,
        dataset="demo-nli",
        kinds=kinds,
        sources={name: name for name in SOURCES} if kinds != ("attribution",) else {
            "human": "human"
        },
        judges=judges,
        trials_per_judge=trials,
        judgments_per_trial=judges,
        practice=practice,
    )  # fmt: skip
    return design_draft.draw_from(_home(), _demo(), config)


@dataclass(frozen=True)
class Judging:
    """A loaded study with its owner and invited judges."""

    service: StudyService
    frames: dict[str, pd.DataFrame]
    invited: list[Invitation]

    def answers(self) -> pd.DataFrame:
        """What is on disk, by way of the owner: the study is closed and unblinded by this."""
        self.service.close(STUDY)
        self.service.unblind(STUDY)
        return self.service.export_judgments(STUDY, practice=True)

    def secrets(self) -> set[str]:
        """Names that no judge may receive in any form."""
        found = {STUDY, RUN, NOTE, *SOURCES.values()}
        found |= set(self.frames["cards"]["annotator_id"])
        found |= {item for item in self.frames["texts"]["item_id"] if item}
        found |= set(self.frames["texts"]["text_id"])
        return found | {each.judge_id for each in self.invited}


def put(
    workspace: Workspace,
    *,
    kinds: tuple[str, ...] = ("attribution", "comparison", "reasoning"),
    trials: int = 3,
    judges: int = 2,
    practice: int = 1,
    **terms,
) -> Judging:
    """The study in `workspace`, with as many judges invited as it has sequences."""
    draft = _drawn(kinds, trials, judges, practice)
    frames = design_draft.tables_of(draft)
    sealed = frames["sealed"].copy()
    sealed["source"] = sealed["source"].map(lambda name: SOURCES.get(name, name))
    sealed["run_id"] = RUN
    frames = {**frames, "sealed": sealed}
    service = StudyService(open_store(workspace))
    task = _demo().task
    told = {
        "role_a": task.role_a, "role_b": task.role_b, "question": task.instruction, **terms,
    }  # fmt: skip
    service.load(STUDY, frames, "a hash", Terms(**told))
    return Judging(service, frames, service.invite(STUDY, judges, note=NOTE))


def cards_of(judging: Judging, judge_slot: str) -> list[str]:
    """The annotators behind the letters A, B, … of a sequence."""
    rows = judging.frames["assignments"].query("judge_slot == @judge_slot")
    orders = [from_cell(cell)["cards"] for cell in rows["order"]]
    return max(orders, key=len)
