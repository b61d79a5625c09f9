"""The studies of a workspace with their state, from their folders and the database; without
Streamlit.

A study whose folder or rows are damaged stays in the list, with its problem.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from capo_core.errors import CapoError
from capo_core.formatting import count
from capo_core.provenance import SIMULATED
from capo_core.study.config import StudyConfig
from capo_core.study.design import draft, freeze
from capo_core.study.owner.service import StudyService
from capo_core.study.owner.status import StudyStatus
from capo_core.study.provenance import who_judged
from capo_core.workspace import Workspace

DRAFT = "draft"
FROZEN = "frozen"  # nobody is invited yet
RUNNING = "running"
CLOSED = "closed"
UNBLINDED = "unblinded"
BROKEN = "broken"
STAGES = {
    DRAFT: "Draft",
    FROZEN: "Frozen",
    RUNNING: "Running",
    CLOSED: "Closed",
    UNBLINDED: "Unblinded",
    BROKEN: "Broken",
}


@dataclass(frozen=True)
class Seen:
    """One study.

    Attributes:
        stage: a key of `STAGES`.
        config: its design; None where that cannot be read.
        status: its counts in the database; None where it is not in there.
        problem: what is wrong with it, or None.
        frozen_hash: of its design; "" before it is frozen.
    """

    name: str
    stage: str
    config: StudyConfig | None = None
    status: StudyStatus | None = None
    problem: CapoError | None = None
    frozen_hash: str = ""

    @property
    def called(self) -> str:
        """Return its title; without one, its name."""
        return self.config.called if self.config else self.name

    @property
    def dataset(self) -> str:
        return self.config.dataset if self.config else ""

    @property
    def simulated_judges(self) -> bool:
        """True where no person judged, by the judges in the database."""
        judges = self.status.judges if self.status is not None else ()
        return bool(judges) and who_judged(judge.judge_id for judge in judges) == SIMULATED

    @property
    def standing(self) -> str:
        """Return the progress of the study in one line."""
        if self.problem is not None:
            return self.problem.what
        if self.stage == DRAFT:
            return "to be reviewed, then frozen"
        if self.stage == FROZEN:
            return "no judges invited yet"
        filled = f"{self.status.filled:,} of {self.status.places:,} judgments collected"
        if self.simulated_judges:
            filled = f"simulated judges: {filled}"
        if self.stage == RUNNING:
            return f"{filled}, {count(len(self.status.judges), 'judge')} invited"
        return f"{filled}; {'sources are sealed' if self.stage == CLOSED else 'sources are known'}"

    @property
    def progress(self) -> str:
        """Return `standing` in the fewest words, for a cell of a table."""
        if self.status is None or self.problem is not None or self.stage == FROZEN:
            return self.standing
        filled = f"{self.status.filled:,} of {self.status.places:,} judgments"
        return f"{filled} (simulated)" if self.simulated_judges else filled


def every(workspace: Workspace, service: StudyService | None) -> list[Seen]:
    """All studies by name.

    Args:
        service: None where there is no database yet, or it cannot be reached.
    """
    loaded = set(service.names()) if service else set()
    folders = {path.parent.name for path in workspace.studies.glob(f"*/{draft.DESIGN}")}
    return [
        see(workspace, service if name in loaded else None, name)
        for name in sorted(folders | loaded)
    ]


def see(workspace: Workspace, service: StudyService | None, name: str) -> Seen:
    """One study.

    Args:
        service: None where the study is not in the database.
    """
    config, problem, frozen_hash = None, None, ""
    try:
        config = draft.config_of(workspace, name)
        if freeze.is_frozen(workspace, name):
            frozen_hash = freeze.hash_of(workspace, name)
    except CapoError as error:
        problem = error
    status = None
    if service is not None:
        try:
            status = service.status(name)
        except CapoError as error:
            problem = problem or error
    if not frozen_hash and status is not None:  # its folder is gone; the database has it too
        frozen_hash = status.frozen_hash
    stage = _stage(config, bool(frozen_hash), status, problem)
    return Seen(name, stage, config, status, problem, frozen_hash)


def _stage(config, frozen: bool, status: StudyStatus | None, problem) -> str:
    if problem is not None or config is None:
        return BROKEN
    if status is None:
        return FROZEN if frozen else DRAFT
    if status.state != "open":
        return UNBLINDED if status.state == "unblinded" else CLOSED
    return RUNNING if status.judges else FROZEN


def stages_of(found: list[Seen], dataset: str) -> Counter[str]:
    """Return the number of studies of a dataset in each stage."""
    return Counter(seen.stage for seen in found if seen.dataset == dataset)


def simulated_of(found: list[Seen], dataset: str) -> int:
    """Return the number of studies of a dataset that simulated judges answered."""
    return sum(seen.simulated_judges for seen in found if seen.dataset == dataset)


def said(stages: Counter[str], simulated: int = 0) -> str:
    """ "3 studies (1 draft, 2 running)." or "3 studies (1 draft, 2 unblinded; 1 with simulated
    judges)."

    Args:
        simulated: those that simulated judges answered.
    """
    parts = [f"{stages[stage]} {stage}" for stage in STAGES if stages[stage]]
    more = f"; {simulated} with simulated judges" if simulated else ""
    return f"{count(stages.total(), 'study', 'studies')} ({', '.join(parts)}{more})."
