"""Label distributions in tables: a column of shares, or of counts, for each label."""

import numpy as np
import pandas as pd
import pytest

from capo_core.distributions.files import read_judgments
from capo_core.distributions.judgments import CROWD
from capo_core.errors import DataError


def crowd(found):
    (source,) = [each for each in found.sources if each.name == CROWD]
    return source


def test_columns_of_shares_named_after_the_labels(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "uid,premise,hypothesis,entailment,neutral,contradiction\n"
        "1,A dog sleeps.,A dog.,0.6,0.3,0.1\n2,It rains.,It is dry.,0,0.25,0.75\n"
    )
    found = read_judgments(path)
    assert crowd(found).labels == ("entailment", "neutral", "contradiction")
    assert np.allclose(crowd(found).shares, [[0.6, 0.3, 0.1], [0, 0.25, 0.75]])
    assert found.items["text_b"].tolist() == ["A dog.", "It is dry."]
    assert "label distributions of the columns 'entailment'" in found.notes[-1]


def test_columns_of_counts_say_how_many_people_there_were(tmp_path):
    frame = pd.DataFrame({"text": ["One.", "Two."], "n_yes": [7, 1], "n_no": [3, 3]})
    frame.to_csv(tmp_path / "c.csv", sep=";", index=False)
    frame.to_parquet(tmp_path / "c.parquet")
    frame.to_excel(tmp_path / "c.xlsx", index=False)
    for name in ("c.csv", "c.parquet", "c.xlsx"):
        source = crowd(read_judgments(tmp_path / name))
        by_label = dict(zip(source.labels, source.shares.T.tolist(), strict=True))
        assert by_label == {"yes": [0.7, 0.25], "no": [0.3, 0.75]}
        assert source.people.tolist() == [10, 4]


def test_a_table_without_such_columns_is_refused_in_words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\nOne.,yes\nTwo.,no\n")
    with pytest.raises(DataError, match="no columns with shares or counts of labels"):
        read_judgments(path)
