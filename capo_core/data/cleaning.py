"""Words that stand for no explanation, and spellings of one annotator's name."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from capo_core.data.alike import bare, joined_forms, same_name, same_text
from capo_core.data.label_scales import MISSING
from capo_core.data.readers.encoding import map_text
from capo_core.data.rejected_rows import quoted
from capo_core.formatting import count, name_list

# What people type where they have no explanation, a line for each language of `column_words`. Not
# a plain "no", which may answer a question; "нет" and "yok" are "there is none" too.
_NO_EXPLANATION = """n/a | na | none | nil | null | nan | #n/a | <na> | no explanation | no comment
    | no comments | no reason | not applicable
    | ka | k.A. | keine angabe | keine | kein kommentar | keine erklärung | keine begründung
    | aucun | aucune | aucun commentaire | sans commentaire | pas de commentaire | sans objet
    | ninguno | ninguna | sin comentario | sin comentarios | sin explicación | no aplica
    | nenhum | nenhuma | sem comentário | sem comentários | sem explicação | não se aplica
    | nessuno | nessuna | nessun commento | senza commento | non applicabile
    | geen | geen commentaar | geen toelichting | geen uitleg | n.v.t.
    | brak | brak komentarza | bez komentarza | brak uzasadnienia | nie dotyczy
    | нет | нет комментариев | без комментариев | без комментария | нет объяснения | отсутствует
    | yok | yorum yok | açıklama yok | yorumsuz
    | لا يوجد | لا شيء | لا تعليق | بدون تعليق | بلا تعليق | لا ينطبق
    | लागू नहीं | कोई नहीं | कोई टिप्पणी नहीं | कुछ नहीं | कोई कारण नहीं
    | 无 | 無 | 没有 | 沒有 | 暂无 | 无说明 | 无解释 | 无理由 | 没有理由 | 不适用
    | なし | 無し | 特になし | 特に無し | ありません | 該当なし | コメントなし | 理由なし
    | 없음 | 없습니다 | 해당없음 | 해당사항없음 | 이유없음 | 코멘트없음
    | নেই | কোনো মন্তব্য নেই | কিছু না | প্রযোজ্য নয়
    | ندارد | هیچ | بدون توضیح | بدون نظر | توضیحی ندارم | نظری ندارم
    | ไม่มี | ไม่มีความคิดเห็น | ไม่มีเหตุผล | ไม่ระบุ
    | немає | нема | без коментарів | немає пояснення
    | không có | không có ý kiến | không có lý do | không áp dụng
    | tidak ada | tidak ada komentar | tidak ada alasan | tanpa komentar | tidak berlaku"""


def says_nothing(explanation: str) -> bool:
    """Return whether an explanation is empty or a word for none, such as "N/A", "-" or "none".

    Punctuation and signs alone say nothing; a picture such as "👍" may.

    >>> says_nothing(" n. a. "), says_nothing("–"), says_nothing("No."), says_nothing("none of it")
    (True, True, False, False)
    >>> says_nothing("无。"), says_nothing("لا يوجد"), says_nothing("?"), says_nothing("👎")
    (True, True, True, False)
    """
    stripped = bare(explanation)
    if stripped in MISSING:
        return True
    return len(stripped) <= 30 and _words_alone(stripped) in _NOTHING


def _words_alone(text: str) -> str:
    """Return a short text without case, spaces and punctuation."""
    folded = same_name(text).casefold()
    return "".join(c for c in folded if not c.isspace() and not _is_punctuation(c))


def _is_punctuation(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind[0] in "PS" and kind != "So"


_NOTHING = frozenset({"", *(_words_alone(each) for each in _NO_EXPLANATION.split("|"))})


def without_empty_words(explanations: pd.Series, notes: list[str]) -> pd.Series:
    """Return the explanations with "" for those that say nothing; others stay as written."""
    nothing = Counter(
        text.strip() for text in explanations.tolist() if text.strip() and says_nothing(text)
    )
    if nothing:
        listed = [f"{quoted(text)} ({number:,})" for text, number in nothing.most_common()]
        notes.append(
            f"{count(nothing.total(), 'explanation')} that only "
            f"{'says' if nothing.total() == 1 else 'say'} {name_list(listed)}: read as none"
        )
    return map_text(explanations, lambda text: "" if says_nothing(text) else text)


def without_marks(work: pd.DataFrame, columns: Sequence[str], notes: list[str]) -> None:
    """Take white space and invisible marks from the ends of the cells of `columns`."""
    number = 0
    for column in columns:
        before = work[column]
        work[column] = map_text(before, bare)
        pairs = zip(before.tolist(), work[column].tolist(), strict=True)
        number += sum(len(a) != len(b) and a.strip() != b for a, b in pairs)
    if number:
        notes.append(
            f"{count(number, 'label, name or identifier', 'labels, names and identifiers')} with "
            "invisible marks (of writing direction or byte order) at the ends: read without them"
        )


def join_annotators(work: pd.DataFrame, notes: list[str]) -> None:
    """Join annotators whose names a reader cannot tell apart; name those that differ by case."""
    uses = Counter(work["annotator_id"].tolist())
    uses.pop("", None)
    if new := joined_forms(work["annotator_id"].tolist(), same_name):
        work["annotator_id"] = map_text(work["annotator_id"], lambda name: new.get(name, name))
        pairs = [f"{quoted(a)} → {quoted(b)}" for a, b in new.items()]
        notes.append(
            "annotators whose names differ by Unicode form or invisible marks only are joined: "
            f"{name_list(pairs)}"
        )
    alike: dict[str, list[str]] = {}
    for name in uses:
        if name not in new:
            alike.setdefault(same_text(name), []).append(name)
    twins = [" and ".join(map(quoted, sorted(each))) for each in alike.values() if len(each) > 1]
    if twins:
        notes.append(
            f"annotators whose names differ by case or spaces only are kept apart: "
            f"{name_list(twins, most=6)}; if they are one person, write them alike in the file"
        )
