"""Surveys with a person in each row and the items in columns: Google Forms, Qualtrics and others.

Google Forms has a `Timestamp` and one column for each question, whose header is the question, in
the language of the form; Microsoft Forms has `ID`, `Start time`, `Completion time`; Qualtrics has
names, question texts and `{"ImportId": …}` in its first three rows; SurveyMonkey a second header
row; LimeSurvey `Date submitted`. A column with
choices or a rating is an item, its text the question's; the columns of free text after it are its
explanation. In a grid the item is in brackets, `Is it true? [The lamp is green.]`, in a Qualtrics
matrix behind a dash.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capo_core.data.cleaning import says_nothing
from capo_core.data.column_names import is_number
from capo_core.data.column_values import are_times
from capo_core.data.columns import SYNONYMS, normalised_name, recognised
from capo_core.data.formats.answers import (
    LABEL,
    TEXT,
    ToolAnswer,
    ToolExport,
    guessed_kind,
    tool_format,
)
from capo_core.data.formats.base import ReadOptions
from capo_core.data.limits import check_cells
from capo_core.data.readers.delimited import find_delimiter
from capo_core.data.readers.excel_parquet import read_excel
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted, quoted_list
from capo_core.errors import DataError
from capo_core.formatting import count, name_list

_IMPORT_ID = re.compile(r'\s*\{\s*"ImportId"')
_TIMESTAMP = {"timestamp", "start_time", "completion_time", "date_submitted", "submitdate",
              "submitdate_date_submitted"}  # fmt: skip
_PERSON = re.compile(
    r"^(e_?mail(_address)?|username|user_?name|name|(your|full|first)_name|nickname|initials|"
    r"prolific.*|worker.*|participant.*|annotator.*|respondent.*|pid|mturk.*|your_(id|e_?mail).*|id|"
    r"id_response_id|response_id|token(_access_code)?|[您你]的姓名|姓名|氏名|お名前|이름|성함|nombre|"
    r"nom|nome|ihr_name|dein_name|vor_und_nachname|имя|ваше_имя|фио|ad_soyad|الاسم|नाम)$"
)
_ABOUT_PERSON = re.compile(
    r"(^|_)(age|gender|sex|nationality|country|native|language|education|consent|agree_to|"
    r"captcha|feedback|comments?_about|how_(old|long)|e_?mail|attention)(_|$)"
)
_QUALTRICS = {"startdate", "enddate", "status", "ipaddress", "progress", "duration_in_seconds",
              "finished", "recordeddate", "responseid", "externalreference",
              "recipientlastname", "recipientfirstname", "recipientemail", "locationlatitude",
              "locationlongitude", "distributionchannel", "userlanguage"}  # fmt: skip
_LIMESURVEY = {"last_page", "start_language", "seed", "lastpage_last_page", "lastpage",
               "startlanguage_start_language", "startlanguage", "seed_seed", "date_started",
               "date_last_action", "total_time"}  # fmt: skip
_SURVEYMONKEY = {"collector_id", "start_date", "end_date", "ip_address", "first_name", "last_name",
                 "custom_data_1"}  # fmt: skip
# Of WJX, a survey tool in Chinese; and of any tool the points of a quiz.
_WJX = {"序号", "提交答卷时间", "所用时间", "来源", "来源详情", "来自ip"}
_POINTS = {"总分", "總分", "得分", "score", "total_score", "punktzahl", "gesamtpunktzahl", "punkte",
           "puntuación", "pontuação", "punteggio", "スコア", "점수", "баллы", "puan"}  # fmt: skip
# What SurveyMonkey writes under a question that is no part of it.
_RESPONSE = {"response", "open-ended response"}
# Import identifiers of Qualtrics that are of its own, in whatever language the header is.
_OWN_IDS = {"startdate", "enddate", "status", "ipaddress", "progress", "duration", "finished",
            "recordeddate", "_recordid", "recipientlastname", "recipientfirstname",
            "recipientemail", "externaldatareference", "locationlatitude", "locationlongitude",
            "distributionchannel", "userlanguage"}  # fmt: skip
_QUESTION = re.compile(r"[?？؟]|[.。।!！]\s*$|\[[^\]]+\]|\S+\s+\S+\s+\S+\s+\S+")
_NUMBERED = re.compile(
    r"^\s*(?:Q?\d+\s*(?:[.):]\s+|[、．：]\s*)|\w+\[\w+\][.:]\s+)"
)  # "Q1[2]. " of LimeSurvey
_AGAIN = re.compile(r" \(\d+\)$")  # of a second column of the same name
_GRID = re.compile(r"^(?P<question>.*?)\s*\[(?P<item>[^\[\]]+)\]\s*$", re.DOTALL)
_MATRIX = re.compile(r"^(?P<question>.+?)\s+-\s+(?P<item>.+)$", re.DOTALL)


@dataclass(frozen=True)
class _Survey:
    """A survey's rows: names of the columns, their questions, and (place, cells) of the people.

    `ids` are the import identifiers of the columns, if the file has them.
    """

    names: list[str]
    questions: list[str]
    rows: list[tuple[int, list[str]]]
    qualtrics: bool
    ids: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    delimiter: str = ""
    sheet: str = ""


def _plain(name: str) -> str:
    return re.sub(r"[^\w]+", "_", name.strip().lower()).strip("_")


def _is_long(names: Sequence[str]) -> bool:
    """Return whether there are columns for item and label, so that a row is one annotation."""
    keys = {normalised_name(name) for name in names}
    labels = bool(keys & set(SYNONYMS["label"]))
    return labels and bool(keys & {*SYNONYMS["item_id"], *SYNONYMS["text_a"]})


def matches(source: ImportSource) -> bool:
    """Return whether the header is that of a survey with a person in each row."""
    if source.kind == "parquet" or source.json:
        return False
    sample = source.sample
    if not sample or _is_long(list(sample[0])):
        return False
    names = list(sample[0])
    if any(_IMPORT_ID.match(str(value)) for row in sample[:2] for value in row.values()):
        return True
    qualtrics = {_plain(name) for name in names} & _QUALTRICS
    if len(qualtrics) >= 3 and "responseid" in qualtrics:
        return True
    keys = [_plain(name) for name in names]
    if len(names) < 3:
        return False
    if {"respondent_id", "collector_id"} <= set(keys) or len(set(keys) & _LIMESURVEY) > 1:
        return True
    return bool(set(keys[:3]) & _TIMESTAMP) or _times_and_questions(sample)


def _times_and_questions(sample: Sequence[Mapping[str, object]]) -> bool:
    """Return whether one of the first columns is a time and the others are called like questions.

    As in forms of any language.
    """
    names = list(sample[0])
    timed = [
        name
        for name in names[:3]
        if are_times([str(row.get(name) or "").strip() for row in sample])
    ]
    asked = [name for name in names if name not in timed and _QUESTION.search(name)]
    labelled = {normalised_name(name) for name in names} & set(SYNONYMS["label"])
    return bool(timed) and bool(asked) and not labelled


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return each person's answer to each item; an item that a person left out is no answer."""
    survey = _survey(source, options)
    notes = list(survey.notes)
    places = _item_columns(survey, notes, source.name)
    if options.mapping is None or not options.mapping.label:
        _check_one_scale(survey, [label for _, label, _ in places], source.name)
    person = _person_column(survey)
    if person is None:
        notes.append("no column names the people: each row is one person, numbered in order")
    answers: list[ToolAnswer] = []
    skipped = 0
    for number, (row, cells) in enumerate(survey.rows, 1):
        aside = _aside(survey, cells)
        who = cells[person].strip() if person is not None else f"person-{number}"
        for item, (question, label, words) in enumerate(places, 1):
            given = {"label": cells[label].strip()}
            explanation = "\n".join(cells[each] for each in words if cells[each].strip())
            if words:
                given["explanation"] = explanation
            if not given["label"] and not explanation:
                skipped += 1
                continue
            answers.append(ToolAnswer(row, who, f"q{item}", {"text": question}, given, aside))
    people = "1 person" if len(survey.rows) == 1 else f"{len(survey.rows):,} people"
    notes.append(f"{count(len(places), 'item')} in columns, {people} in rows")
    if skipped:
        notes.append(f"{count(skipped, 'item')} × person without an answer")
    kinds = {"label": LABEL, "explanation": TEXT}
    return ToolExport(answers, kinds, tuple(notes), delimiter=survey.delimiter, sheet=survey.sheet)


def _survey(source: ImportSource, options: ReadOptions) -> _Survey:
    delimiter = sheet = ""
    if source.kind == "excel":
        (columns, cells, numbers, _), sheet = read_excel(
            source.raw, source.name, options.limits, options.sheet
        )
        rows = list(zip(numbers, cells, strict=True))
    else:
        delimiter = options.delimiter or find_delimiter(source.text, recognised)
        reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter)
        try:
            records = [(n, row) for n, row in enumerate(reader, 1) if any(c.strip() for c in row)]
        except csv.Error as error:
            raise DataError(f"the rows cannot be separated ({error})", where=source.name) from None
        if not records:
            raise DataError("the file holds no table", where=source.name)
        columns, rows = records[0][1], records[1:]
        check_cells(len(rows), len(columns), source.name, options.limits)
    columns = [" ".join(name.strip("\ufeff\u200b ").split()) for name in columns]
    width = len(columns)
    rows = [(n, [*row[:width], *[""] * (width - len(row))]) for n, row in rows]
    import_ids: Sequence[str] = ()
    ids = [i for i, (_, row) in enumerate(rows[:3]) if any(_IMPORT_ID.match(c) for c in row)]
    questions, notes = columns, []
    qualtrics = len({_plain(name) for name in columns} & _QUALTRICS) >= 3 or bool(ids)
    if ids:
        questions = [text or name for text, name in zip(rows[0][1], columns, strict=True)]
        if ids[0] == 0:
            questions = columns
        import_ids = [_import_id(cell) for cell in rows[ids[0]][1]]
        rows = rows[ids[0] + 1 :]
        notes.append(f"{ids[0] + 2} header rows: names, questions and import identifiers")
    elif {"respondent_id", "collector_id"} <= {_plain(name) for name in columns} and rows:
        questions = _under(columns, rows[0][1])
        rows = rows[1:]
        notes.append("2 header rows: questions and what is asked of each")
    if not rows:
        raise DataError("there are no answers under the header", where=source.name)
    return _Survey(columns, questions, rows, qualtrics, import_ids, tuple(notes), delimiter, sheet)


def _import_id(cell: str) -> str:
    try:
        found = json.loads(cell)
    except ValueError:
        return ""
    return str(found.get("ImportId", "")) if isinstance(found, dict) else ""


def _under(columns: Sequence[str], below: Sequence[str]) -> list[str]:
    """Return the questions of SurveyMonkey: the name, and in brackets what is asked under it."""
    questions, last = [], ""
    for name, cell in zip(columns, below, strict=True):
        last = name.strip() or last
        cell = cell.strip()
        if not cell or cell.casefold() in _RESPONSE:
            questions.append(last)
        else:
            reason = guessed_kind(cell, [""]) == TEXT
            questions.append(cell if reason else f"{last} [{cell}]")
    return questions


def _is_own(survey: _Survey, place: int) -> bool:
    """Return whether a column is about the response, by its name or its import identifier."""
    key = _plain(survey.names[place])
    if any(each.startswith("QID") for each in survey.ids):
        if not survey.ids[place].startswith("QID"):
            return True
    elif survey.ids and survey.ids[place].casefold() in _OWN_IDS:
        return True
    own = (
        key in _WJX
        or key in _POINTS
        or key in _TIMESTAMP
        or key in _QUALTRICS
        or key in _LIMESURVEY
        or key in _SURVEYMONKEY
    )
    cells = [row[place].strip() for _, row in survey.rows if row[place].strip()]
    return own or are_times(cells)


def _person_column(survey: _Survey) -> int | None:
    """Return the column that names the person: by its name, or by addresses; else the response's.

    A column that says the same of all ("anonymous") names nobody.
    """
    keys = [_plain(name) for name in survey.names]
    cells = [[row[place].strip() for _, row in survey.rows] for place in range(len(keys))]
    found = [
        place
        for place, key in enumerate(keys)
        if (_PERSON.match(key) or _addresses(cells[place]))
        and any(cells[place])
        and (len(cells[place]) == 1 or len(set(cells[place])) > 1)
    ]
    last = ("name", "id", "respondent_id", "response_id", "id_response_id")
    ranked = sorted(found, key=lambda place: keys[place] in last)
    if ranked:
        return ranked[0]
    if "_recordId" in survey.ids:
        return list(survey.ids).index("_recordId")
    return keys.index("responseid") if "responseid" in keys else None


def _addresses(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(re.fullmatch(r"[^@\s]+@[^@\s]+\.\w+", cell) for cell in filled)


def _aside(survey: _Survey, cells: list[str]) -> str:
    if not survey.qualtrics:
        return ""
    keys = [_plain(name) for name in survey.names]
    status = cells[keys.index("status")].strip().casefold() if "status" in keys else ""
    if "preview" in status or status in ("1", "survey test", "test"):
        return "a preview or test of the survey, not a response"
    if "spam" in status or status in ("8", "9", "12"):
        return "marked as spam in Qualtrics"
    return ""


def _item_columns(
    survey: _Survey, notes: list[str], where: str
) -> list[tuple[str, int, list[int]]]:
    """Return (text, column of the label, columns of the explanation) of each item.

    Raises:
        DataError: no columns share a scale of labels.
    """
    person = _person_column(survey)
    kinds: dict[int, str] = {}
    for place, name in enumerate(survey.names):
        key = _plain(name)
        values = [row[place] for _, row in survey.rows if row[place].strip()]
        if not values or place == person or _is_own(survey, place) or _addresses(values):
            continue
        if _PERSON.match(key) or (survey.qualtrics and re.search(r"click|page_submit", key)):
            continue
        question = _AGAIN.sub("", survey.questions[place])
        kinds[place] = guessed_kind(_bare(question), values)
        if survey.qualtrics and kinds[place] == LABEL and re.search(r"_text$|why|reason", key):
            kinds[place] = TEXT
    _correct_by_answers(survey, kinds)
    labels = [place for place, kind in kinds.items() if kind == LABEL]
    items = _with_one_scale(survey, labels, kinds)
    if not items:
        raise DataError(
            "no column holds choices or ratings of an item",
            where=where,
            expected="a person in each row, and for each item a column with its label",
        )
    words = [place for place, kind in kinds.items() if kind == TEXT]
    explained = _explanations(items, words)
    used = {*items, *(place for each in explained.values() for place in each)}
    left = [survey.questions[place] for place in kinds if place not in used]
    if left:
        notes.append(f"columns that are no item, not read: {quoted_list(left)}")
    texts = _item_texts([survey.questions[place] for place in items])
    return [(text, place, explained[place]) for text, place in zip(texts, items, strict=True)]


def _correct_by_answers(survey: _Survey, kinds: dict[int, str]) -> None:
    """Make labels of the columns whose answers are choices, whatever words their header has.

    An item's text stands in the header and may say "why" or "comment". Such a column has few short
    answers, most of which are also those of another item: of a column that is a label by name and
    answers, else (where no two of those share a scale) of one like itself.
    """
    answers = {place: _answers(survey, place) for place in kinds}
    doubtful = [
        place
        for place, kind in kinds.items()
        if kind == TEXT and not _only_asks_why(survey, place) and len(answers[place]) > 1
        and guessed_kind("", [row[place] for _, row in survey.rows if row[place].strip()]) == LABEL
    ]  # fmt: skip
    labels = [place for place, kind in kinds.items() if kind == LABEL]
    known = [place for place in labels if not _ABOUT_PERSON.search(_plain(survey.questions[place]))]

    def shares(place: int, others: Sequence[int]) -> bool:
        common = (answers[place] & answers[other] for other in others if other != place)
        return any(len(each) >= 0.5 * len(answers[place]) for each in common)

    among = known if any(shares(place, known) for place in known) or len(doubtful) < 2 else (
        [*known, *doubtful]
    )  # fmt: skip
    for place in [place for place in doubtful if shares(place, among)]:
        kinds[place] = LABEL


def _answers(survey: _Survey, place: int) -> set[str]:
    """Return the different answers of a column, without those that say nothing ("N/A", "-")."""
    cells = {row[place].strip().casefold() for _, row in survey.rows}
    return {cell for cell in cells if cell and not says_nothing(cell)}


def _only_asks_why(survey: _Survey, place: int) -> bool:
    """Return whether a header is a question for reasons and nothing else: "Why?", "Comment 2"."""
    key = _plain(_bare(_AGAIN.sub("", survey.questions[place])))
    words = {word for word in key.split("_") if not word.isdigit()}
    return words <= {*SYNONYMS["explanation"], "please", "your", "for", "the", "choice", "answer"}


def _with_one_scale(survey: _Survey, labels: list[int], kinds: dict[int, str]) -> list[int]:
    """Return the columns whose labels are those of other columns too.

    Age, country and the like have answers of their own, the items share a scale. Columns that are
    numbered or set like an item, or followed by an explanation, are items too.
    """
    if len(labels) < 2:
        return labels
    values = {
        place: {row[place].strip().casefold() for _, row in survey.rows if row[place].strip()}
        for place in labels
    }
    uses = Counter(value for own in values.values() for value in own)
    personal = {place for place in labels if _ABOUT_PERSON.search(_plain(survey.questions[place]))}
    shared = {
        place
        for place in labels
        if sum(uses[value] > 1 for value in values[place]) >= 0.5 * len(values[place])
    }
    explained = {place for place in labels if kinds.get(place + 1) == TEXT}
    forms = {form for place in explained | shared if (form := _form(survey.questions[place]))}
    alike = {place for place in labels if _form(survey.questions[place]) in forms}
    return sorted((shared | explained | alike) - personal)


def _check_one_scale(survey: _Survey, items: Sequence[int], where: str) -> None:
    """Check that the items' columns do not hold answers to different questions.

    They do where two sets of columns, each with several answers, have no answer in common.

    Raises:
        DataError: they do.
    """
    groups: list[tuple[set[str], list[int]]] = []
    for place in items:
        own = {"0" if is_number(each) else each for each in _answers(survey, place)}
        if not own:
            continue
        near = [group for group in groups if group[0] & own]
        groups = [group for group in groups if group not in near]
        answers = own.union(*(each for each, _ in near))
        groups.append((answers, [*(place for _, places in near for place in places), place]))
    apart = [places for answers, places in groups
             if len(places) > 1 and (len(answers) > 1 or answers == {"0"})]  # fmt: skip
    if len(apart) < 2:
        return
    shown = [
        f"{quoted(survey.questions[places[0]], 60)} ({name_list(_samples(survey, places[0]))})"
        for places in apart
    ]
    raise DataError(
        f"the columns answer different questions: {', '.join(shown)}",
        where=where,
        expected="for each item one column with a label, all of one scale, and perhaps one column "
        "with the reasons",
        todo='in a copy of the file, call the columns with reasons "Why?" and leave out other '
        "questions; if all are labels of one scale, choose the label",
        option="--map label=label",
    )


def _samples(survey: _Survey, place: int) -> list[str]:
    cells = dict.fromkeys(row[place].strip() for _, row in survey.rows if row[place].strip())
    return [quoted(cell, 30) for cell in list(cells)[:3]]


def _form(question: str) -> str:
    """Return what the questions of items have in common: a number before, or a stem; "" if none."""
    for form in (_GRID, _MATRIX):
        if match := form.match(question):
            return match["question"].strip()
    return "number" if _NUMBERED.match(question) else ""


def _explanations(items: list[int], words: list[int]) -> dict[int, list[int]]:
    """Return item column → its columns of free text: those up to the next item.

    Where all items come first and as many free texts after them, they go by their order.
    """
    found: dict[int, list[int]] = {place: [] for place in items}
    after = [place for place in words if place > items[0]]
    if len(after) == len(items) and after and min(after) > max(items) and len(items) > 1:
        return {place: [word] for place, word in zip(items, after, strict=True)}
    for word in after:
        before = [place for place in items if place < word]
        last = before[-1]
        if last == items[-1] and word - last > 1 and any(found.values()):
            gap = min((own[0] - place for place, own in found.items() if own), default=1)
            if word - last > gap:
                continue  # a general remark at the end
        found[last].append(word)
    most = max((len(own) for place, own in found.items() if place != items[-1]), default=0)
    if most:  # what follows the last item's explanation is about the survey
        found[items[-1]] = found[items[-1]][:most]
    return found


def _bare(question: str) -> str:
    return _NUMBERED.sub("", question).strip()


def _item_texts(questions: list[str]) -> list[str]:
    """Return the items' texts: in a grid or a matrix the part that differs, else the question."""
    questions = [_AGAIN.sub("", question) for question in questions]
    for form in (_GRID, _MATRIX):
        parts = [form.match(_bare(question)) for question in questions]
        if len(parts) > 1 and all(parts):
            whole = {part["question"].strip() for part in parts}
            items = [part["item"].strip() for part in parts]
            if len(whole) < len(parts) and len(set(items)) == len(items):
                return items
    bare = [_bare(question) for question in questions]
    asked = _asked_of_all(bare)
    if asked:  # Qualtrics' "Loop & Merge": the item, a dash, and what is asked of each
        return [question.removesuffix(asked) for question in bare]
    return bare if len(set(bare)) == len(bare) else questions


def _asked_of_all(questions: Sequence[str]) -> str:
    """Return what stands behind a dash, in brackets or in a line of its own at the end of all
    questions; "" for nothing.

    >>> _asked_of_all(["It rains. - Is it rude?", "Go - now. - Is it rude?"])
    ' - Is it rude?'
    """
    if len(questions) < 2:
        return ""
    for end in (r"\s+-\s+(?:(?!\s-\s).)+$", r"\s*\[[^\[\]]+\]\s*$", r"\s*\n\s*[^\n]+$"):
        ends = {found[0] if (found := re.search(end, each)) else "" for each in questions}
        if len(ends) == 1 and (asked := ends.pop()):
            rest = {each.removesuffix(asked) for each in questions}
            return asked if len(rest) == len(questions) and all(rest) else ""
    return ""


FORMAT = tool_format(
    name="survey",
    title="Survey (Google Forms, Qualtrics and others)",
    description="CSV, TSV or Excel of Google Forms, Microsoft Forms, Qualtrics, SurveyMonkey or "
    "LimeSurvey with a person in each row, and for each item a "
    "column with the label and one with the explanation",
    sign="times of the answers beside columns named like questions, or the header of a survey "
    "tool, and no column for the item",
    general=True,
    matches=matches,
    read=read,
)
