"""What the owner sees after unblinding: each trial with its texts, sources and answers."""

import pandas as pd
import pytest
from helpers.small_study import SmallStudy, answer_all

from capo_core.errors import ConfigError, StudyError
from capo_core.study.owner.trials import (
    TRIAL_TEXTS,
    TRIALS_OF_STUDY,
    answers_in_words,
    cards_of,
    sources_in_words,
    trial_lines,
    trials_of,
    with_texts,
)
from capo_core.workspace import Workspace


@pytest.fixture
def judged(tmp_path):
    """A study of four main trials by two judges, closed and unblinded."""
    study = SmallStudy(Workspace(tmp_path), judges=2)
    for desk in study.judges(2):
        answer_all(desk)
    with pytest.raises(StudyError, match="sources stay sealed"):
        study.service.export_texts(study.name)
    study.service.close(study.name)
    study.service.unblind(study.name)
    yield study
    study.dispose()


def test_trials_have_their_texts_sources_and_answers(judged):
    judgments = judged.service.export_judgments(judged.name)
    texts = judged.service.export_texts(judged.name)
    assert tuple(texts.columns) == TRIAL_TEXTS
    assert judged.service.audit_log(judged.name)["event"].iloc[-1] == "export"
    rows = trials_of(judgments, texts)
    assert tuple(rows.columns) == TRIALS_OF_STUDY
    # Practice is none of them; every main trial was judged by both.
    assert list(rows["trial_id"]) == ["T01", "T02", "T03", "T04"]
    assert set(rows["judgments"]) == {2}
    first, second = rows.iloc[0].to_dict(), rows.iloc[1].to_dict()
    # The first letter is ann-3, and ann-1 wrote it: both judges are wrong.
    assert (first["right"], first["answers"]) == (0, "ann-3 ×2")
    assert sources_in_words(first) == "CAPO"
    # A comparison has no right answer; sides are turned between the judges.
    assert pd.isna(second["right"]) and second["answers"] == "CAPO ×1, Zero-shot ×1"
    assert sources_in_words(second) == "CAPO against Zero-shot"
    wide = with_texts(rows, texts).set_index("trial_id")
    assert wide.loc["T02", ["explanation_1", "explanation_2"]].tolist() == [
        "word word word", "word word word word word",
    ]  # fmt: skip
    assert wide.loc["T01", "explanation_2"] == ""
    assert wide.loc["T01", ["annotator_1", "run_1"]].tolist() == ["ann-1", "run-77"]


def test_a_trial_shows_the_reference_cards_that_judges_saw(judged):
    cards = judged.frames["cards"]
    assert list(cards_of("attribution", "", cards)) == ["ann-1", "ann-2", "ann-3"]
    (card,) = cards_of("comparison", "ann-2", cards).items()
    assert card == ("ann-2", [["a premise", "a hypothesis", "neutral", "style 1"]])
    texts = judged.service.export_texts(judged.name)
    answers = judged.service.export_judgments(judged.name)
    of_trial, given = (frame[frame["trial_id"] == "T02"] for frame in (texts, answers))
    said = "\n".join(trial_lines(of_trial, given, cards))
    assert "Reference card of ann-2, as judges saw it:" in said and "style 1" in said
    assert "style 0" not in said


def test_a_trial_that_nobody_judged_is_listed_without_answers(judged):
    texts = judged.service.export_texts(judged.name)
    none = judged.service.export_judgments(judged.name).iloc[:0]
    rows = trials_of(none, texts)
    assert len(rows) == 4 and set(rows["judgments"]) == {0} and set(rows["answers"]) == {""}
    assert rows["right"].isna().all() and answers_in_words(none) == ""


def test_a_title_is_free_and_its_folder_is_made_from_it(tmp_path):
    from capo_core.study.config import StudyConfig, name_from_title

    for title, name in (
        ("pilot-1", "pilot-1"), ("CAPO against SFT", "CAPO-against-SFT"),
        ("Qui a écrit ça ?", "Qui-a-ecrit-ca"), ("谁写的", "study"), ("../etc", "etc"),
    ):  # fmt: skip
        assert name_from_title(title) == name
    assert name_from_title("A b", taken=["A-b", "A-b-2"]) == "A-b-3"
    with pytest.raises(ConfigError, match="no name"):
        name_from_title("  ")
    # A design without a title has the hash it had before there were titles.
    plain = StudyConfig("pilot-1", "d")
    assert "title" not in plain.to_dict() and plain.called == "pilot-1"
    assert plain.with_changes(title="A pilot").to_dict()["title"] == "A pilot"


def test_a_password_set_on_the_page_has_the_length_of_one_in_the_environment():
    from capo_core.study.owner.access import PASSWORD, SignInSettings, set_password

    environment: dict[str, str] = {}
    with pytest.raises(ConfigError, match="11 characters"):
        set_password("a" * 11, environment)
    set_password("a" * 12, environment)
    assert SignInSettings.from_environment("", environment=environment).password == "a" * 12
    with pytest.raises(StudyError, match="already"):
        set_password("b" * 12, environment)
    assert environment[PASSWORD] == "a" * 12
