"""Judges answer at once while their server processes are killed: every acknowledged answer stays.

Each judge has a process of its own that serves it: it asks for the next trial and answers it,
through the service functions. What was acknowledged is noted outside the database, in a file that
only grows. A killed process is started anew with nothing but the judge's link.

As in the dashboard, a process has the owner's way to the database open too; and as when the
command line is used meanwhile, another process comes, reads and leaves, over and over.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from helpers.postgres import running
from helpers.small_study import SmallStudy
from sqlalchemy import select

from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.judging.trial_views import End
from capo_core.study.store import Busy, open_judge_store, open_store, read
from capo_core.study.store.audit import now
from capo_core.study.store.models import audit, judgments
from capo_core.workspace import Workspace

GO_ON = "go on"  # a file beside the notes
FORK = multiprocessing.get_context("fork")  # 64 fresh interpreters would take minutes to start


def said(token: str, trial_id: str, answers: tuple[str, ...]) -> tuple[str, str]:
    """What a judge answers, and why: the same after a restart, and another for each trial."""
    digest = hashlib.sha256(f"{token} {trial_id}".encode()).hexdigest()
    return answers[int(digest, 16) % len(answers)], digest[:12]


def serve(root: Path, token: str, noted: Path) -> None:
    """One judge's session, to the end; each acknowledged answer becomes one line of `noted`."""
    owner = open_store(Workspace(root))
    patiently(read, owner, lambda connection: connection.execute(select(audit).limit(1)).all())
    desk = JudgeDesk(open_judge_store(Workspace(root)), token)
    lines = os.open(noted, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    patiently(desk.consent)
    while not isinstance(view := patiently(desk.next_trial), End):
        while view.progress.total - view.progress.done == 1 and not all_killed(noted.parent):
            time.sleep(0.01)  # or the work might be done before all kills are
        answer, reason = said(token, view.trial_id, view.answers)
        saved = patiently(desk.answer, view.trial_id, answer, "2", reason)
        os.write(lines, f"{saved.trial_id} {reason}\n".encode())


def all_killed(folder: Path) -> bool:
    """Whether all kills are done, and the judges may give their last answers."""
    return (folder / GO_ON).exists()


def visit(root: Path, ended: Event) -> None:
    """Come, read and leave, until told; whoever leaves last clears SQLite's log away."""
    while not ended.is_set():
        engine = open_store(Workspace(root))
        patiently(read, engine, lambda c: c.execute(select(judgments.c.trial_id)).all())
        engine.dispose()
        ended.wait(0.05)


def patiently(act: Callable[..., Any], *args: Any) -> Any:
    """As a person does who reads "try again in a minute": 64 at once can be much for a machine."""
    while True:
        try:
            return act(*args)
        except Busy:
            time.sleep(0.5)


def run(study: SmallStudy, folder: Path, kills: int, seed: int) -> tuple[dict[str, Path], float]:
    """Serve all judges, killing `kills` times one that works; the notes by judge, and seconds."""
    count = study.frames["assignments"]["judge_slot"].nunique()
    invited = {each.judge_id: each.token for each in study.service.invite(study.name, count)}
    notes = {judge: folder / judge for judge in invited}
    study.dispose()  # no connection is carried into a fork
    rng, left = random.Random(seed), kills
    places = len(study.frames["assignments"])

    def start(judge: str):
        args = (study.workspace.root, invited[judge], notes[judge])
        process = FORK.Process(target=serve, args=args, daemon=True)
        process.start()
        return process

    def answered() -> int:
        return sum(path.read_bytes().count(b"\n") for path in notes.values() if path.exists())

    began = time.monotonic()
    ended = FORK.Event()
    visitor = FORK.Process(target=visit, args=(study.workspace.root, ended), daemon=True)
    visitor.start()
    working = {judge: start(judge) for judge in invited}
    while working:
        if not left:
            (folder / GO_ON).touch()
        # The kills are spread over most of the work, however fast the machine is; not over all of
        # it, since each judge keeps the last answer back until all are done.
        while left and working and answered() >= (kills - left) * 0.75 * places / kills:
            judge = rng.choice(sorted(working))
            time.sleep(rng.uniform(0, 0.03))  # at any point of what it is doing
            if working[judge].exitcode is None:
                os.kill(working[judge].pid, signal.SIGKILL)
                left -= 1
            working[judge].join()
            if working[judge].exitcode == -signal.SIGKILL:
                working[judge] = start(judge)
            else:
                assert working.pop(judge).exitcode == 0
        for judge, process in list(working.items()):
            process.join(0.002)
            if process.exitcode is not None:
                assert process.exitcode == 0, "a session ended with an error"
                del working[judge]
    assert left == 0, "all work was done before all kills were"
    ended.set()
    visitor.join()
    assert visitor.exitcode == 0
    return notes, time.monotonic() - began


def check(study: SmallStudy, notes: dict[str, Path]) -> int:
    """Every acknowledged answer is there, once, as it was given; and nothing is missing."""
    engine = study.service.engine
    rows = read(engine, lambda c: c.execute(select(judgments)).all())
    there = [(row.judge_id, row.trial_id, row.reason) for row in rows]
    assert len(there) == len(set(there)) == len(study.frames["assignments"])
    acknowledged = [
        (judge, *line.split())
        for judge, path in notes.items()
        for line in path.read_text().splitlines()
    ]
    assert set(acknowledged) <= set(there)
    # An answer is acknowledged once, unless the process died between the two; no more are lost.
    assert len(acknowledged) == len(set(acknowledged))
    assert all(row.withdrawn is None for row in rows)
    events = read(engine, lambda c: c.execute(select(audit.c.event)).scalars().all())
    assert events.count("answer") == len(there) and events.count("change") == 0
    status = study.service.status(study.name)
    assert status.filled == status.places and {each.state for each in status.judges} == {"done"}
    return len(acknowledged)


def many(workspace: Workspace, folder: Path, *, judges: int, trials: int, kills: int) -> str:
    folder.mkdir()
    study = SmallStudy(workspace, clock=now, judges=judges, main=trials, practice=0)
    notes, seconds = run(study, folder, kills, seed=judges)
    acknowledged = check(study, notes)
    name = study.service.engine.dialect.name
    study.dispose()
    total = judges * trials
    return (
        f"{name}: {judges} judges x {trials} trials, {kills} kills: {total} answers in "
        f"{seconds:.1f} s, {total / seconds:.0f} a second; {acknowledged} acknowledged, "
        "none lost, none twice"
    )


def test_nothing_is_lost_small(workspace, tmp_path):
    many(workspace, tmp_path / "notes", judges=8, trials=10, kills=5)


@pytest.mark.slow
def test_nothing_is_lost_sqlite(workspace, tmp_path, capsys):
    words = many(workspace, tmp_path / "notes", judges=64, trials=40, kills=50)
    with capsys.disabled():
        print(f"\n{words}")


@pytest.fixture
def durable():
    """PostgreSQL as it comes: it waits until the disk has what it acknowledges."""
    yield from running()


@pytest.mark.slow
def test_nothing_is_lost_postgresql(durable, workspace, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CAPO_DATABASE_URL", durable.database())
    words = many(workspace, tmp_path / "notes", judges=64, trials=40, kills=50)
    with capsys.disabled():
        print(f"\n{words}")
