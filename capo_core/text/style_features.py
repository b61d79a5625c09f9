"""The catalogue of style features: the name, the words for a person and the unit of each."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.errors import ConfigError
from capo_core.text import lexicons


@dataclass(frozen=True)
class Feature:
    """One measure of a text: its column name, what it is in words, and its unit.

    Units: "words", "characters" and "count" are per text; "percent of words" is a share of the
    text's words, 0 to 100; "percent of explanations" is 100 where the text has it, else 0, so that
    a mean over texts is the percentage of texts that have it.
    """

    name: str
    text: str
    unit: str


PER_WORD = "percent of words"
PER_TEXT = "percent of explanations"

# The first word of a text, by class; the first class that holds it counts.
OPENERS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("opens_the", "begin with “the”", frozenset({"the"})),
    ("opens_article", "begin with “a” or “an”", frozenset({"a", "an"})),
    ("opens_it", "begin with “it” or “it's”", frozenset({"it", "it's", "its"})),
    ("opens_first_person", "begin with “I” or “we”", lexicons.FIRST_PERSON),
    ("opens_person", "begin with “they”, “he”, “you” …", lexicons.PRONOUNS),
    ("opens_demonstrative", "begin with “this”, “these” …", lexicons.DEMONSTRATIVES),
    ("opens_both", "begin with “both”", frozenset({"both"})),
    ("opens_there", "begin with “there”", frozenset({"there"})),
    ("opens_negation", "begin with a negation", lexicons.NEGATIONS),
    ("opens_if", "begin with “if”", frozenset({"if"})),
    ("opens_verdict", "begin with a verdict (“true”, “yes” …)", lexicons.VERDICTS),
    ("opens_hedge", "begin with a hedge", lexicons.HEDGES),
    ("opens_task_term", "begin with a task term", lexicons.TASK_TERMS),
    ("opens_connective", "begin with a connective", lexicons.CONNECTIVES),
    ("opens_preposition", "begin with a preposition", lexicons.PREPOSITIONS),
    ("opens_quote", "begin with a quotation mark", frozenset({'"', "'"})),
)

# Classes counted as a share of the words.
CLASSES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("function_words", "function words", lexicons.FUNCTION_WORDS),
    ("hedges", "hedges (“maybe”, “might”, “seems”)", lexicons.HEDGES),
    ("boosters", "boosters (“clearly”, “must”, “exactly”)", lexicons.BOOSTERS),
    ("modals", "modal verbs (“can”, “would”)", lexicons.MODALS),
    ("contracted_negations", "contracted negations (“doesn't”)", lexicons.CONTRACTED_NEGATIONS),
    ("full_negations", "full negations (“not”, “no”)", lexicons.FULL_NEGATIONS),
    ("connectives", "connectives (“because”, “so”)", lexicons.CONNECTIVES),
    ("quantifiers", "quantifiers (“all”, “some”)", lexicons.QUANTIFIERS),
    ("prepositions", "prepositions", lexicons.PREPOSITIONS),
    ("auxiliaries", "forms of “be”, “do” and “have”", lexicons.AUXILIARIES),
    ("first_person", "first person (“I”, “we”)", lexicons.FIRST_PERSON),
    ("second_person", "second person (“you”)", lexicons.SECOND_PERSON),
    ("third_person", "third person (“it”, “they”)", lexicons.THIRD_PERSON),
    ("task_terms", "task terms (“context”, “statement”, “Q1”)", lexicons.TASK_TERMS),
    ("reporting", "reporting words (“mentions”, “implies”)", lexicons.REPORTING),
    ("names_a", "names of the first text (“context”, “premise”, “Q1”)", lexicons.NAMES_A),
    ("names_b", "names of the second text (“statement”, “hypothesis”, “Q2”)", lexicons.NAMES_B),
    ("names_question", "“question”, “sentence” and “text”", lexicons.NAMES_TEXT),
)

# Punctuation inside a text, as a share of explanations that have it.
PUNCTUATION: tuple[tuple[str, str, str], ...] = (
    ("commas", "have a comma", ","),
    ("semicolons", "have a semicolon", ";"),
    ("colons", "have a colon", ":"),
    ("brackets", "have brackets", "()[]"),
    ("dashes", "have a dash", "-–—"),
    ("quotation", "quote with double marks", '"'),
    ("single_quotes", "quote with single marks", "'"),
    ("slashes", "have a slash or an equals sign", "/=+<>"),
    ("inner_question_marks", "have a question mark inside", "?"),
)

_MEASURES = (
    Feature("length_words", "length", "words"),
    Feature("length_characters", "length", "characters"),
    Feature("mean_word_length", "mean length of a word", "characters"),
    Feature("long_words", "words of seven letters or more", PER_WORD),
    Feature("distinct_words", "words that are different from each other", PER_WORD),
    Feature("sentence_breaks", "sentence ends inside the text", "count"),
    Feature("contractions", "contractions (“it's”, “doesn't”)", PER_WORD),
    Feature("missing_apostrophes", "contractions without apostrophe (“doesnt”)", PER_WORD),
    Feature("numbers", "numbers", PER_WORD),
    Feature("hyphenated", "words with a hyphen", PER_WORD),
    Feature("overlap_a", "words taken from the first text", PER_WORD),
    Feature("overlap_b", "words taken from the second text", PER_WORD),
    Feature("overlap_none", "words of neither text and no function words", PER_WORD),
)
FEATURES: tuple[Feature, ...] = (
    *_MEASURES,
    *(Feature(name, text, PER_WORD) for name, text, _ in CLASSES),
    *(Feature(name, text, PER_TEXT) for name, text, _ in PUNCTUATION),
    *(Feature(name, text, PER_TEXT) for name, text, _ in OPENERS),
    *(Feature(f"word_{word}", f"say “{word}”", PER_TEXT) for word in sorted(lexicons.SINGLE_WORDS)),
)
FORMATTING: tuple[Feature, ...] = (
    Feature("final_period", "end with a period", PER_TEXT),
    Feature("final_other", "end with “!” or “?”", PER_TEXT),
    Feature("capital_first", "begin with a capital letter", PER_TEXT),
    Feature("all_capitals", "have a word in capitals", PER_TEXT),
    Feature("outer_space_before", "begin with a space", PER_TEXT),
    Feature("outer_space_after", "end with a space", PER_TEXT),
    Feature("double_space", "have two spaces in a row", PER_TEXT),
    Feature("line_break", "have a line break", PER_TEXT),
    Feature("curly_quotes", "have typographic quotes", PER_TEXT),
)
_BY_NAME = {feature.name: feature for feature in (*FEATURES, *FORMATTING)}


def feature(name: str) -> Feature:
    """The feature of that column name; `ConfigError` where there is none."""
    if name not in _BY_NAME:
        raise ConfigError(
            f"there is no style feature {name!r}", expected="a column of stylometry.features"
        )
    return _BY_NAME[name]


def describe(name: str) -> str:
    """What the feature is, in words, with its unit: "hedges (…), percent of words"."""
    found = feature(name)
    return f"{found.text}, {found.unit}"
