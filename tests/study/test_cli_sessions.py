"""A designed study through its sessions: by the commands, and at the judges' desks."""

import json
import re

import pandas as pd
import pytest
import typer
from helpers.small_study import answer_all
from helpers.study_designs import design, put, simulated
from typer.testing import CliRunner

from capo_core.cli import study_sessions
from capo_core.errors import StudyError
from capo_core.export_formats import unescape
from capo_core.study import store
from capo_core.study.design import draft as design_draft
from capo_core.study.design import freeze
from capo_core.study.design.draft import draw
from capo_core.study.judging import desk as judging_desk
from capo_core.study.owner.export import read_judgments
from capo_core.study.owner.service import StudyService
from capo_core.study.tables import JUDGMENTS

STUDY = "trial-run"


@pytest.fixture
def run(workspace, monkeypatch):
    """Runs a command in a workspace with a frozen study; its output. Fails unless it ends well."""
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    world = put(workspace, simulated(items=90))
    config = design(
        world, judges=3, trials_per_judge=6, judgments_per_trial=1, practice=1,
        kinds=("attribution", "comparison"),
        sources={"human": "human", "other_human": "other_human"}, claim_minutes=5, cap=40,
    )  # fmt: skip
    design_draft.create(workspace, draw(workspace, config))
    freeze.freeze(workspace, STUDY, accept_leaks=True)
    app = typer.Typer()
    study_sessions.add(app)

    def command(*args, code=0, **kwargs):
        done = CliRunner().invoke(app, [str(each) for each in args], **kwargs)
        assert done.exit_code == code, done.output
        return done.output

    return command


def desks_of(workspace, output):
    engine = store.open_judge_store(workspace)
    return [
        judging_desk.JudgeDesk(engine, token) for token in re.findall(r"judge\?t=(\S+)", output)
    ]


def test_from_invitation_to_export(run, workspace, tmp_path):
    output = run("invite", STUDY, "--judges", 3, "--base", "http://lab:1", "--note", "students")
    desks = desks_of(workspace, output)
    assert len(desks) == 3 and "http://lab:1/judge?t=" in output
    draft = design_draft.load(workspace, STUDY)
    sources = {f"'{source}'" for source in draft.sealed["source"]}
    for desk in desks:
        assert desk.open().claim_minutes == 5
        desk.consent()
        shown = repr(desk.next_trial())
        assert not [source for source in sources if source in shown]
        answer_all(desk)
    judge = json.loads(run("status", STUDY, "--json"))["judges"][0]
    assert judge["state"] == "done" and judge["note"] == "students"
    assert "open" in run("status", STUDY)
    assert "error: " in run("export", STUDY, tmp_path / "j.csv", code=2)
    run("close", STUDY, input="n\n", code=1)
    assert "is closed" in run("close", STUDY, input="y\n")
    run("unblind", STUDY, "--yes")
    for name in ("j.csv", "j.jsonl"):
        run("export", STUDY, tmp_path / name)
    frame = pd.read_json(tmp_path / "j.jsonl", lines=True, dtype=False)
    assert list(frame.columns) == [*JUDGMENTS.names, "provenance"]
    main = set(draft.trials[draft.trials["phase"] == "main"]["trial_id"])
    assert set(frame["trial_id"]) <= main and len(frame) == judge["places"] * 3
    assert len(pd.read_csv(tmp_path / "j.csv")) == len(frame)
    truth = draft.sealed[draft.sealed["slot"] == 0].set_index("trial_id")
    assert (frame["purpose"] == frame["trial_id"].map(truth["purpose"])).all()
    run("export", STUDY, tmp_path / "h.csv", "--history")
    run("export", STUDY, tmp_path / "t.csv", "--texts")
    texts = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    assert list(read_judgments(tmp_path / "t.csv")["trial_id"]) == list(frame["trial_id"])
    shown = draft.texts.set_index("text_id")["explanation"]
    slot = draft.sealed.set_index(["trial_id", "slot"])["text_id"]
    for row in texts.itertuples(index=False):
        assert unescape(row.explanation_1) == shown[slot[row.trial_id, 0]]
        pair = row.kind == "comparison"
        assert unescape(row.explanation_2) == (shown[slot[row.trial_id, 1]] if pair else "")
    one = run("trials", STUDY, "--trial", frame["trial_id"][0])
    assert shown[slot[frame["trial_id"][0], 0]] in one and "3 judgments" not in one
    run("trials", STUDY, tmp_path / "bare.csv", "--no-texts")
    assert "explanation_1" not in pd.read_csv(tmp_path / "bare.csv")
    assert "unblind" in run("audit", STUDY)
    run("audit", STUDY, tmp_path / "a.jsonl")
    assert desks[0].token not in (tmp_path / "a.jsonl").read_text()


def test_links_can_be_changed_and_ended(run, workspace):
    (made,) = json.loads(run("invite", STUDY, "--json"))
    (old,) = desks_of(workspace, made["url"])
    (new,) = desks_of(workspace, run("link", made["judge_id"]))
    with pytest.raises(StudyError):
        old.open()
    new.open()
    run("release", made["judge_id"])
    run("revoke", made["judge_id"])
    with pytest.raises(StudyError):
        new.open()
    assert "revoked" in run("status", STUDY)
    assert "there is no judge 'x'" in run("revoke", "x", code=2)


def test_words_where_something_is_wrong(run, tmp_path):
    assert "no study" in run("status", STUDY, code=2)
    assert "there is no study named" in run("invite", "other", code=2)
    run("invite", STUDY)
    assert ".csv, .jsonl" in run("export", STUDY, tmp_path / "j.xlsx", code=2)


def test_a_study_changed_after_freezing_is_not_taken_in(run, workspace):
    path = workspace.studies / STUDY / "texts.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, "explanation"] += " indeed"
    path.chmod(0o644)
    frame.to_parquet(path, index=False)
    assert "changed after it was frozen" in run("invite", STUDY, code=2)
    assert StudyService(store.open_store(workspace)).names() == []
