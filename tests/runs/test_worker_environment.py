"""Workers that run beside each other share the cores."""

import os

from capo_core.runs.process import OWN_THREADS, worker_environment


def test_workers_beside_each_other_share_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    assert worker_environment(3)["OMP_NUM_THREADS"] == "2"
    assert worker_environment(50)["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in worker_environment(1)


def test_the_number_that_a_user_sets_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert worker_environment(3)["OMP_NUM_THREADS"] == "5"
    assert worker_environment(1)["OMP_NUM_THREADS"] == "5"


def test_a_worker_that_starts_the_next_one_does_not_hand_its_share_on(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    own = worker_environment(3)
    monkeypatch.setenv("OMP_NUM_THREADS", own["OMP_NUM_THREADS"])
    monkeypatch.setenv(OWN_THREADS, own[OWN_THREADS])
    assert "OMP_NUM_THREADS" not in worker_environment(1)
    assert worker_environment(2)["OMP_NUM_THREADS"] == "3"
