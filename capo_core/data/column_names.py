"""Roles of columns by their names: a role, an annotator's role, or nobody's label."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import pandas as pd

from capo_core.data import column_words

# Usual names of a role's column, best first; compared in lower case, with "_" for all else.
_NAMES = {
    "item_id": """item_id item itemid uid pair_id pairid example_id sample_id instance_id
        question_id sentence_id text_id doc_id task_id guid task idx q_nr q_no q_id qid item_nr
        item_no item_number question_nr question_no question_number
        unit_id tweet_id sent_id orig_id original_id id_original""",
    "annotator_id": """annotator_id annotator annotatorid id_annotator annotator_name annotator_uid
        annotator_code annotator_nr annotator_no annotator_number annotated_by labeled_by
        labelled_by coded_by rated_by worker_id worker workerid id_worker worker_name rater_id
        rater id_rater rater_name coder_id coder id_coder coder_name labeler labeller judge_id
        judge participant_id participant respondent_id respondent prolific_id prolific_pid turk_id
        turker_id amt_worker_id amt_worker_ids user_id user author username""",
    "label": """label labels answer annotation judgment judgement rating score choice class verdict
        stance sentiment category""",
    "explanation": """explanation explanations reason reasons rationale rationales justification
        comment comments free_text why""",
    "text_a": """text_a premise context text1 text_1 sentence1 sentence_1 question1 question_1
        question_a sent1 sentence_a s1 q1 text sentence tweet
        headline title review utterance document passage post input request message""",
    "text_b": """text_b hypothesis statement text2 text_2 sentence2 sentence_2 question2 question_2
        question_b sent2 sentence_b s2 q2 claim reply response""",
    "valid": "valid is_valid validity makes_sense",
    "split": "split subset partition",
    "annotation_id": "annotation_id annotationid answer_id response_id",
}


_ARABIC_MARKS = re.compile("[\u0640\u064b-\u065f\u0670]")  # short vowels, doubling, stretching


@lru_cache(maxsize=65_536)
def normalised_name(name: str) -> str:
    """Return a column name for comparison: "Question 1" → "question_1", "aB" → "a_b".

    Letters of all scripts stay, with their vowel signs and accents; Arabic without its optional
    marks.

    >>> normalised_name("المُعلِّق") == normalised_name("المعلق")
    True
    """
    name = _ARABIC_MARKS.sub("", unicodedata.normalize("NFKC", name))
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else "_" for c in name.lower())
    return re.sub("_+", "_", "".join(kept)).strip("_")


SYNONYMS = {
    role: tuple(dict.fromkeys(map(normalised_name, f"{names} {column_words.NAMES[role]}".split())))
    for role, names in _NAMES.items()
}
ROLES = tuple(SYNONYMS)
PER_ANNOTATOR = ("label", "explanation", "valid")
# Name of a wide table's column that is an annotator's name and holds the label.
_BARE = re.compile(
    r"(?:ann|annotator|annot|rater|worker|crowd_?worker|turker|coder|judge|human|expert|student|person"
    r"|participant|respondent|reviewer|assessor|labell?er|a|r|w|p)_?\d+"
    # "Annotator A", and the same in other languages.
    rf"|(?:{'|'.join(sorted(map(re.escape, SYNONYMS['annotator_id']), key=len, reverse=True))})"
    r"_?(?:\d+|[a-z])",
    re.IGNORECASE,
)
# Name of a column that says who the k-th annotator of the row is.
_SLOT = re.compile(
    r"(?:annotator|worker|rater|coder|labell?er|judge|participant|user|author|turk|turker)s?"
    r"(?:_?(?:id|name))?_?(\d+)(?:_?(?:id|name))?"
)
# End of the name of a column that says who labelled: "unique_contributor_id", "rot-worker-id".
_WHO = re.compile(
    r"(?:^|_)(?:annotator|worker|rater|coder|labell?er|contributor|participant|respondent|subject"
    r"|turker|crowdworker|assessor)_(?:id|uid|hash|code|pid)"
)
# Words in the name of a column that is made of several people's labels, or is about labels.
_AGGREGATE = frozenset(
    """gold golden goldstandard silver majority maj majorityvote mv final finalised finalized
    adjudicated adjudication adjudicator aggregated aggregate aggregation agg consensus resolved
    reconciled truth groundtruth gt reference true correct expected mean avg average median std
    stdev stddev sd var variance sum total count counts freq frequency num time times timestamp
    duration seconds secs sec minutes date datetime created updated submitted confidence conf
    confidences certainty agreement iaa probability probabilities prob probs proba entropy dist
    distribution soft hard predicted prediction pred model machine auto weighted weight rank old
    original orig previous type types set name names id ids index idx description definition
    version status url link language lang options possible candidates all overall coarse fine
    parent level nr number nummer normalized normalised scaled zscore mode mace dawid skene
    dawidskene zencrowd wawa voted nvotes difficulty disagreement""".split()  # noqa: SIM905
) | frozenset(map(normalised_name, column_words.AGGREGATES.split()))
_UNSPACED_AGGREGATES = tuple(
    word for word in column_words.AGGREGATES.split() if "\u3040" <= word[0] <= "\ud7af"
)
# Words that are aggregates beside annotators, and without a number: "label_crowd", "label_votes".
_BESIDE_PEOPLE = frozenset({"crowd", "vote", "votes", "source", "n"})
# Words that are names of people too: aggregates only beside another aggregate.
_PERHAPS = frozenset({"max", "min", "ref", "n", "alpha", "kappa", "range"})
_QUALITIES = frozenset(map(normalised_name, column_words.QUALITIES.split()))
# Words beside "reason" that leave it the reason of the label.
_ABOUT_LABEL = {"label", "answer", "for", "of", "the", "your", "choice", "free", "text", "short",
                "written", "annotator", "worker", "is", "that", "did", "do", "you", "this",
                "choose", "chose", "chosen", "give", "gave", "given", "select",
                "selected"}  # fmt: skip
_ABOUT_ITEM = frozenset(
    name for role in ("label", "text_a", "text_b", "item_id") for name in SYNONYMS[role]
)
# Which label of the item its explanations share, where there are several: the first of these.
_SHARED_FIRST = ("gold", "final", "adjudicated", "consensus", "majority")


def names_annotator(name: str) -> bool:
    """Return whether a name ends in words for who labelled, such as "rot-worker-id".

    >>> names_annotator("unique_contributor_id"), names_annotator("worker_id_2")
    (True, False)
    """
    key = normalised_name(name)
    return any(match.end() == len(key) for match in _WHO.finditer(key))


def recognised(names: Sequence[str]) -> int:
    """Return the number of these names that are synonyms of a role."""
    known = {synonym for synonyms in SYNONYMS.values() for synonym in synonyms} | {"id"}
    return len(known & {normalised_name(name) for name in names})


def is_nested(values: pd.Series) -> bool:
    """Return whether these cells hold JSON that is no label: objects, or lists of objects.

    Lists of labels are label sets (see `label_sets`).
    """
    filled = [text for text in values.head(200).tolist() if text.strip()]
    if not filled or not all(text.lstrip()[0] in "[{" for text in filled):
        return False
    return not all(_holds_labels(text) for text in filled)


def _holds_labels(text: str) -> bool:
    """Return whether a cell is a list of texts and numbers, or an object with such a list only."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # As Python writes a list of texts.
        return bool(re.fullmatch(r"\s*\[\s*(?:'[^']*'(?:\s*,\s*'[^']*')*)?\s*\]\s*", text))
    if isinstance(value, dict) and len(value) == 1 and "choices" in value:
        value = value["choices"]
    return isinstance(value, list) and not any(isinstance(e, dict | list) for e in value)


@lru_cache(maxsize=65_536)
def role_and_annotator(name: str) -> tuple[str, str]:
    """Return the role and the annotator in names such as "label_A1", "A1 reason"; "" for none."""
    stripped = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())  # "goldLabel"
    bare = re.sub(r"(?<=\w)\s*(?:\([^()]*\)|\?)\s*$", "", stripped)  # "P1: comment (free text)"
    return next(
        (found for text in (stripped, bare) if (found := _role_and_annotator(text))[0]), ("", "")
    )


# Vowel signs and accents are parts of a word, though no letters to `re`: "सीता_लेबल".
_MARKS = "".join(
    chr(code) for code in range(0x300, 0x1E00) if unicodedata.category(chr(code))[0] == "M"
)
_BETWEEN = rf"(?:(?![{_MARKS}])[\W_])+"


def _patterns(role: str) -> tuple[re.Pattern[str], ...]:
    """Return the forms of a name of a role and an annotator; "word" is the role's."""
    longest = sorted(SYNONYMS[role], key=len, reverse=True)
    word = "|".join(re.escape(each).replace("_", r"[\W_]?") for each in longest)
    close = "|".join(re.escape(each) for each in longest if _UNSPACED.match(each)) or "(?!)"
    return tuple(
        re.compile(pattern, re.IGNORECASE)
        for pattern in (
            rf"(?P<word>{word}){_BETWEEN}(?P<who>.+)",
            rf"(?P<word>{word})(?P<who>\d+)",
            rf"(?P<who>.+?){_BETWEEN}(?P<word>{word})",
            # Scripts without spaces: "甲的标签", "标签甲".
            rf"(?P<who>.+?)[的の]?(?P<word>{close})",
            rf"(?P<word>{close})(?P<who>.+)",
        )
    )


_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_FORMS = {role: _patterns(role) for role in PER_ANNOTATOR}


def _role_and_annotator(stripped: str) -> tuple[str, str]:
    stripped = unicodedata.normalize("NFKC", stripped)
    for role, patterns in _FORMS.items():
        matches = [found for each in patterns if (found := each.fullmatch(stripped))]
        # The longest word of the role: "gold_label_1" is a label of "gold", not of "1".
        for match in sorted(matches, key=lambda found: -len(found["word"])):
            if who := match["who"].strip(" _-.:()[]"):
                return role, who
    return "", ""


def is_explanation(name: str) -> bool:
    """Return whether a column's name says that it holds explanations: "reason", "why_label"."""
    key = normalised_name(name)
    words = set(key.split("_"))
    return key in SYNONYMS["explanation"] or bool(words & set(SYNONYMS["explanation"]))


def explains_label(name: str, label: str) -> bool:
    """Return whether a column is by its name the explanation of the label: "sentiment_reason".

    >>> explains_label("sentiment_reason", "sentiment"), explains_label("comment_id", "label")
    (True, False)

    Args:
        label: the column of the label.
    """
    words = normalised_name(name).split("_")
    about = {*normalised_name(label).split("_"), *_ABOUT_LABEL}
    rest = [word for word in words if word not in SYNONYMS["explanation"]]
    return len(rest) < len(words) and set(rest) <= about


def aggregates_among(names: Sequence[str]) -> list[str]:
    """Return the names that are aggregates or metadata beside the others (see `is_aggregate`)."""
    uses = Counter(token for name in dict.fromkeys(names) for token in set(_tokens(name)))

    def beside(who: str) -> set[str]:
        own = set(_tokens(who)) if who in known else set()
        return {token for token, number in uses.items() if number > (token in own)}

    known = set(names)
    return [name for name in names if _is_aggregate(name, beside)]


def is_aggregate(who: str, others: Sequence[str] = ()) -> bool:
    """Return whether what stands in an annotator's place is an aggregate or metadata.

    >>> is_aggregate("gold"), is_aggregate("score_mean"), is_aggregate("anna"), is_aggregate("max")
    (True, True, False, False)

    Args:
        others: what stands in this place in the other columns; "max" beside "mean" is no person.
    """
    return _is_aggregate(
        who, lambda who: {token for other in others if other != who for token in _tokens(other)}
    )


def _is_aggregate(who: str, words_beside: Callable[[str], set[str]]) -> bool:
    tokens = _tokens(who)
    words = set(tokens)
    if any(word in who for word in _UNSPACED_AGGREGATES):
        return True
    if _AGGREGATE & words:
        return not (len(tokens) > 1 and tokens[0] == "num" and tokens[1:] == tokens[-1:] == ("#",))
    if tokens and all(token in _ABOUT_ITEM and token.isalpha() for token in tokens):
        return len(tokens[0]) > 1  # "text_label", "topic" of "stance_label"
    if not (_BESIDE_PEOPLE | _PERHAPS) & words:
        return False  # most names, without a look at the others
    beside = words_beside(who)
    if _BESIDE_PEOPLE & words and "#" not in tokens and beside:
        return tokens != ("n",) or all(len(token) > 1 for token in beside)  # "n" beside "a", "b"
    return bool(_PERHAPS & words) and bool((_AGGREGATE | _PERHAPS) & beside)


def names_quality(who: str) -> bool:
    """Return whether what stands in an annotator's place is a quality that items are rated by.

    >>> names_quality("fluency"), names_quality("overall_quality"), names_quality("anna")
    (True, True, False)
    """
    key = normalised_name(who)
    words = set(key.split("_"))
    return key in _QUALITIES or bool(words & _QUALITIES and words <= _QUALITIES | {"overall"})


def names_aggregate(name: str) -> bool:
    """Return whether one of the words of a name is that of an aggregate or of metadata."""
    return bool(_AGGREGATE & set(_tokens(name)))


@lru_cache(maxsize=65_536)
def _tokens(who: str) -> tuple[str, ...]:
    """Return the words of a name, numbers as "#": "Gold 1" → ("gold", "#")."""
    words = re.sub(r"(?<=[a-z])(?=\d)", "_", normalised_name(who)).split("_")
    return tuple("#" if word.isdigit() else word for word in words if word)


@dataclass(frozen=True)
class WideNames:
    """Meaning of the column names of a wide table.

    Attributes:
        annotators: annotator → role ("label", "explanation", "valid", "annotator_id") → column.
            "annotator_id" is a column that says who this annotator is in each row.
        aggregates: label columns that are aggregates or metadata by their names or values.
    """

    annotators: dict[str, dict[str, str]] = field(default_factory=dict)
    aggregates: tuple[str, ...] = ()

    @property
    def labelled(self) -> dict[str, dict[str, str]]:
        """Return the annotators that have a label column."""
        return {who: roles for who, roles in self.annotators.items() if "label" in roles}

    @property
    def unlabelled(self) -> dict[str, str]:
        """Return annotator → explanation column of those without a label column."""
        return {
            who: roles["explanation"]
            for who, roles in self.annotators.items()
            if "label" not in roles and "explanation" in roles
        }

    def shared_label(self) -> str:
        """Return the aggregate that can be the label that explanations share; "" if none."""
        labels = [
            name for name in self.aggregates
            if {"gold", "majority", "final", "adjudicated", "consensus", "aggregated", "hard",
                "true", "correct", "gt", "truth"} & set(_tokens(name))
        ]  # fmt: skip
        return min(
            labels,
            key=lambda name: next(
                (place for place, word in enumerate(_SHARED_FIRST) if word in _tokens(name)), 9
            ),
            default="",
        )


def wide_names(frame: pd.DataFrame, taken: set[str]) -> WideNames:
    """Return the annotators of a wide table, by names such as "label_A1" or "A1 reason"."""
    names = [str(name) for name in frame.columns if name not in taken]
    names = [name for name in names if not is_nested(frame[name])]
    bare = {name for name in names if _BARE.fullmatch(normalised_name(name))}
    parts = {name: ("", "") if name in bare else role_and_annotator(name) for name in names}
    parts |= _repeated(names)
    people = [who for role, who in parts.values() if role == "label"]
    made = set(aggregates_among(people))
    found: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}  # the annotator's name as the columns write it
    aggregates = []
    for name, (role, who) in parts.items():
        if not role:
            continue
        if who in made if role == "label" else is_aggregate(who, people):
            if role == "label":
                aggregates.append(name)
            continue
        spelled.setdefault(normalised_name(who), who)
        found.setdefault(normalised_name(who), {}).setdefault(role, name)
    for name in names:
        key = normalised_name(name)
        slot = _SLOT.fullmatch(f"{key}_1" if f"{name} (2)" in names else key)
        if slot and "label" in found.get(slot[1], {}) and "annotator_id" not in found[slot[1]]:
            found[slot[1]]["annotator_id"] = name
        elif "label" not in found.get(key, {}) and (key in found or _BARE.fullmatch(key)):
            spelled[key] = name.strip()
            found.setdefault(key, {})["label"] = name
    for key in dict.fromkeys([*_unlike_the_others(frame, found), *_numbers_alone(frame, found)]):
        aggregates.append(found.pop(key)["label"])
    return WideNames({spelled[key]: roles for key, roles in found.items()}, tuple(aggregates))


def _repeated(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the roles of a label or explanation that comes again as "label (2)": the first is 1.

    Readers name a column's later occurrences so (see `readers.encoding.unique_names`).
    """
    found = {}
    for name in names:
        role = next((role for role in PER_ANNOTATOR if normalised_name(name) in SYNONYMS[role]), "")
        if role and f"{name} (2)" in names:
            found[name] = (role, "1")
    return found


def repeated_annotators(names: Sequence[str]) -> bool:
    """Return whether a column of annotators and one of labels occur several times in the header."""
    again = {name for name in names if f"{name} (2)" in names}
    keys = {normalised_name(name) for name in again}
    return all(keys & set(SYNONYMS[role]) for role in ("annotator_id", "label"))


def _unlike_the_others(frame: pd.DataFrame, found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the keys whose labels nobody shares and are different in most rows, such as times."""
    values = _labels(frame, found)
    if len(values) < 3:
        return []
    odd = []
    columns = Counter(text for own in values.values() for text in own)
    for key, own in values.items():
        if len(own) <= 12 or any(columns[text] > 1 for text in own):
            continue
        n = sum(bool(text.strip()) for text in frame[found[key]["label"]].tolist())
        if len(own) > 0.5 * n and len(columns) - len(own) < len(own):
            odd.append(key)
    return odd


def _labels(frame: pd.DataFrame, found: Mapping[str, Mapping[str, str]]) -> dict[str, set[str]]:
    """Return key → the labels in the label column, of those that have one."""
    return {
        key: {text.strip() for text in frame[roles["label"]].tolist() if text.strip()}
        for key, roles in found.items()
        if "label" in roles
    }


def _numbers_alone(frame: pd.DataFrame, found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the keys whose labels are all numbers, where nobody else's is: counts, or scores.

    Two or more others are needed: beside one it is not known which of the two is the label.
    """
    values = {key: own for key, own in _labels(frame, found).items() if own}
    numbers = {key for key, own in values.items() if all(map(is_number, own))}
    words = {key for key, own in values.items() if not any(map(is_number, own))}
    few = 0 < len(numbers) < len(words) and len(numbers | words) == len(values)
    return [key for key in values if key in numbers] if few and len(words) > 1 else []


def is_number(text: str) -> bool:
    """Return whether a cell is a number: "3", "2,5", "15 %"."""
    return bool(re.fullmatch(r"[+-]?(?:\d+(?:[.,٫]\d+)?|[.,٫]\d+)\s*[%٪]?", text))


def alike_columns(frame: pd.DataFrame, but: Sequence[str] = ()) -> list[str]:
    """Return the columns that share a few values with each other, as labels of several people do.

    Only to ask about them: nothing in their names says that they are annotators.
    """
    values = {}
    for name in map(str, frame.columns):
        cells = [text.strip() for text in frame[name].head(2000).tolist() if text.strip()]
        few = len(set(cells)) <= min(30, max(2, 0.5 * len(cells)))
        if cells and few and name not in but and not is_aggregate(name):
            values[name] = set(cells)
    found = []
    for name, own in values.items():
        others = set().union(*(each for other, each in values.items() if other != name))
        if len(own & others) >= max(1, 0.5 * len(own)):
            found.append(name)
    if len(found) < 2:
        return []
    stems = {_stem(name) for name in found} - {""}
    return [name for name in values if name in found or _stem(name) in stems]


def _stem(name: str) -> str:
    """Return a name without the number or letter at its end; "" if there is none."""
    match = re.fullmatch(
        r"(.*[^\W\d_].*?)[\W_]*(?:\d+|(?<=[\W_])[a-z])", name.strip(), re.IGNORECASE
    )
    return match[1].casefold() if match else ""


def is_place(who: str) -> bool:
    """Return whether an annotator's name is a number or such as "rater 1"."""
    return who.isdigit() or bool(_BARE.fullmatch(normalised_name(who)))
