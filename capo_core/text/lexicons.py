"""Closed classes of English words that carry style rather than an item's content.

Every set holds lower-cased tokens as `capo_core.text.tokens` cuts them ("doesn't" is one token),
with the spellings without apostrophe that people type ("doesnt"). The sets overlap: "might" is a
modal and a hedge. `STYLE_WORDS` is their union, and what the reduction `style_only` keeps.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARTICLES = _words("a an the")
DEMONSTRATIVES = _words("this that these those such")
FIRST_PERSON = _words(
    "i me my mine myself we us our ours ourselves i'm i've i'd i'll we're we've we'd we'll"
)
SECOND_PERSON = _words("you your yours yourself yourselves you're you've you'd you'll")
THIRD_PERSON = _words(
    "he him his himself she her hers herself it its itself they them their theirs themselves one "
    "one's oneself he's he'd he'll she's she'd she'll it's it'd it'll they're they've they'd "
    "they'll someone somebody anyone anybody everyone everybody noone nobody something anything "
    "everything somewhere anywhere everywhere"
)
PRONOUNS = FIRST_PERSON | SECOND_PERSON | THIRD_PERSON
PREPOSITIONS = _words(
    "about above across after against along among amongst around as at before behind below beneath "
    "beside besides between beyond by despite down during except for from in inside instead into "
    "like near of off on onto out outside over per regarding since than through throughout till to "
    "toward towards under underneath until up upon via with within without"
)
CONJUNCTIONS = _words(
    "and or but nor so yet because cuz if unless although though while whereas whether either "
    "neither when whenever where wherever once "
)
QUESTION_WORDS = _words("what which who whom whose why how what's who's whatever whichever")
AUXILIARIES = _words(
    "am is are was were be been being do does did doing done have has had having get gets got "
    "there's that's here's let's"
)
MODALS = _words(
    "can could may might must shall should will would ought cannot need needs dare gonna"
)
QUANTIFIERS = _words(
    "all any both each every few fewer many more most much less least lot lots several some enough "
    "another other others same only just even almost nearly exactly half none no zero one two "
    "three"
)
PARTICLES = _words(
    "not also too very quite rather really already still again always never ever often sometimes "
    "usually here there now then indeed actually simply merely totally completely well else yes "
    "therein"
)

# Negation in full and contracted: which of the two a person writes is a habit in itself.
CONTRACTED_NEGATIONS = _words(
    "don't doesn't didn't isn't aren't wasn't weren't can't couldn't won't wouldn't shouldn't "
    "haven't hasn't hadn't mustn't mightn't needn't shan't ain't dont doesnt didnt isnt arent "
    "wasnt werent cant couldnt wont wouldnt shouldnt havent hasnt hadnt"
)
FULL_NEGATIONS = _words("not no nor never none nobody nothing nowhere neither without cannot non")
NEGATIONS = CONTRACTED_NEGATIONS | FULL_NEGATIONS

# Words by which a writer commits less (after Hyland 1998, Hedging in Scientific Research
# Articles, cut to the words that short explanations use).
HEDGES = _words(
    "maybe perhaps possibly possible probably probable likely unlikely might may could would seem "
    "seems seemed apparently presumably suggest suggests suggested imply implies implied indicate "
    "indicates indicated assume assumes assumed assumption guess think thinks thought believe "
    "suppose somewhat somehow kind sort roughly approximately around unclear unsure uncertain "
    "ambiguous vague doubt doubtful potentially potential arguably generally usually often "
    "sometimes necessarily partly partially"
)
BOOSTERS = _words(
    "clearly obviously obvious definitely certainly certain surely sure absolutely totally "
    "completely entirely exactly always never must indeed really very explicitly directly strictly "
    "literally fully"
)
CONNECTIVES = _words(
    "and but or so because since as therefore thus hence however although though while whereas yet "
    "then if unless when also besides moreover furthermore instead otherwise rather meaning namely "
    "eg ie which means hereby consequently nevertheless still"
)

# What explanations of judgments call the things they are about, in both tasks.
TASK_TERMS = _words(
    "context contexts statement statements premise premises hypothesis hypotheses sentence "
    "sentences text texts question questions answer answers phrase phrases word words term terms "
    "claim claims information info detail details fact facts speaker author writer person q1 q2 s1 "
    "s2 q first second former latter part meaning topic topics qs query queries keyword keywords "
    "overlap overlaps concept concepts subject identical paraphrase paraphrases paraphrased "
    "entailment neutral contradiction contradict contradicts contradicted contradictory entail "
    "entails entailed true false correct incorrect wrong right relevant irrelevant related "
    "unrelated"
)
# Verbs and nouns by which an explanation reports what a text does or leaves open.
REPORTING = _words(
    "say says said saying state states stated mention mentions mentioned mentioning describe "
    "describes described refer refers referred talk talks talking ask asks asked asking tell tells "
    "told mean means meant show shows shown express expresses know known unknown specify specifies "
    "specified give gives given provide provides provided contain contains include includes "
    "included infer inferred conclude concluded conclusion interpret interpreted interpretation "
    "agree disagree differ differs difference clear different similar similarly equal equals "
    "opposite depend depends reason cause example case"
)

FUNCTION_WORDS = (
    ARTICLES
    | DEMONSTRATIVES
    | PRONOUNS
    | PREPOSITIONS
    | CONJUNCTIONS
    | QUESTION_WORDS
    | AUXILIARIES
    | MODALS
    | QUANTIFIERS
    | PARTICLES
    | NEGATIONS
)
# Without the short words that other languages in Latin script write too, with another meaning.
ENGLISH_ALONE = FUNCTION_WORDS - _words(
    "a all am an are as at can dare do die far for had has he her here i if in is la me men must "
    "my no none not of on one or over so to too two u us war was we will"
)
STYLE_WORDS = FUNCTION_WORDS | HEDGES | BOOSTERS | CONNECTIVES | TASK_TERMS | REPORTING

# For style features.
VERDICTS = _words(
    "true false yes no irrelevant wrong right correct incorrect different similar related "
    "unrelated identical same paraphrase paraphrases"
)
NAMES_A = _words("context contexts premise premises q1 s1 first former")
NAMES_B = _words("statement statements hypothesis hypotheses q2 s2 second latter claim conclusion")
NAMES_TEXT = _words("question questions sentence sentences text texts q qs")
# Worth a feature each: frequent in short explanations whatever the subject.
SINGLE_WORDS = _words(
    "the a an this that these those it its they he she we i you someone something is are was were "
    "be been has have had do does did can could may might must should will would not no only also "
    "just even still both all any some other same more many than as like if whether because so "
    "but and or then which what who how when where while although however since of to in on at "
    "for from with by about between there here too very really maybe probably clear true false "
    "wrong known know mention mentions mentioned mean means say says implies suggests indicates "
    "info information irrelevant paraphrase different similar context statement speaker it's "
    "doesn't don't"
)
