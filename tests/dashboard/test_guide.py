"""The guide: every document is there, its pictures too, and its links stay in the guide."""

import re

import pytest

from capo_core.dashboard.guide.documents import DOCUMENTS, Picture, parts
from capo_core.errors import DataError


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_texts_and_pictures_and_links_that_lead_somewhere(name):
    found = parts(name)
    texts = [part for part in found if not isinstance(part, Picture)]
    assert texts
    for picture in found:
        if isinstance(picture, Picture):
            assert picture.path.is_file() and picture.alt
    text = "\n".join(texts)
    assert not re.search(r"^# ", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        inside = re.fullmatch(r"guide\?doc=([\w-]+)", target)
        assert (inside and inside[1] in DOCUMENTS) or target.startswith("https://")


def test_a_missing_document_says_so(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        parts("methods", tmp_path)
