"""Studies in every state, for the page that shows them."""

from __future__ import annotations

from capo_core.data.catalog import Catalog
from capo_core.study.config import StudyConfig
from capo_core.study.design import draft as design_draft
from capo_core.study.design import freeze
from capo_core.study.design.draft import draw_from
from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.owner.service import StudyService
from capo_core.study.store import open_judge_store, open_store
from capo_core.workspace import Workspace

NAME = "who-wrote"


def config(dataset: str, **changes) -> StudyConfig:
    settings = {
        "name": NAME, "dataset": dataset, "kinds": ("attribution", "comparison"),
        "sources": {"human": "human", "other_human": "other_human"}, "judges": 2,
        "trials_per_judge": 3, "judgments_per_trial": 1, "practice": 1, "card_examples": 2,
        "checks_share": 0.3, "repeats_share": 0.3,
    }  # fmt: skip
    return StudyConfig(**{**settings, **changes})


def put_draft(workspace: Workspace, dataset, **changes) -> str:
    """A draft in the workspace; the dataset is put there too."""
    if dataset.name not in {entry.name for entry in Catalog(workspace).entries()}:
        Catalog(workspace).add(dataset)
    draft = draw_from(workspace, dataset, config(dataset.name, **changes))
    return design_draft.create(workspace, draft)


def put_frozen(workspace: Workspace, dataset, **changes) -> str:
    name = put_draft(workspace, dataset, **changes)
    freeze.freeze(workspace, name, accept_leaks=True)
    return name


def service(workspace: Workspace) -> StudyService:
    return StudyService(open_store(workspace))


def put_running(workspace: Workspace, dataset, judges: int = 2, **changes) -> list[str]:
    """A study with judges invited; the tokens of their links."""
    name = put_frozen(workspace, dataset, **changes)
    owner = service(workspace)
    owner.take_in(workspace, name)
    return [each.token for each in owner.invite(name, judges, note="students")]


def answer_all(workspace: Workspace, tokens: list[str], most: int = 1000) -> int:
    """Judges answer by turns: the first answer that there is, then the second; how many."""
    engine, given = open_judge_store(workspace), 0
    for token in tokens:
        desk = JudgeDesk(engine, token)
        desk.open()
        desk.consent()
        while given < most:
            view = desk.next_trial()
            if not hasattr(view, "trial_id"):
                break
            desk.answer(view.trial_id, view.answers[given % 2], confidence="2")
            given += 1
    return given


def put_closed(workspace: Workspace, dataset, *, unblinded: bool = False, **changes) -> str:
    answer_all(workspace, put_running(workspace, dataset, **changes))
    owner = service(workspace)
    owner.close(NAME)
    if unblinded:
        owner.unblind(NAME)
    return NAME
