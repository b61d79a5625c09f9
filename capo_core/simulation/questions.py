# ruff: noqa: E501
"""What people ask, for paraphrase items: kinds of things, what is asked of them, and in how many ways.

A block begins with `# kind`; `things:` lists what can be asked about; `also:` lists limits that a
question can have; every other line is one intent: `noun phrase that names it = question | the same
in other words | …`, where `{x}` is the thing. Questions stand without their question mark.
"""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.simulation.word_list import listed

_TABLE = """
# skill
things: Spanish; the violin; chess; watercolour painting; Java; touch typing; Arabic; knitting; public speaking; sign language; welding; statistics; surfing; calligraphy; juggling; photography; Mandarin; machine learning
also: as an adult; without a teacher; in three months; at home; for free; with a full-time job; before the summer
ways to learn {x} = How can I learn {x} | What is the best way to learn {x} | How do I get good at {x} | What should I do to master {x} | How should a beginner start with {x}
the time needed for {x} = How long does it take to learn {x} | How much time do I need for {x} | How many months does it take to get good at {x}
the point of learning {x} = Is it worth learning {x} | Should I spend time on {x} | Does it make sense to learn {x}
the difficulty of {x} = How hard is {x} | Is {x} difficult to learn | Why do people find {x} so hard
books about {x} = What are good books on {x} | Which book about {x} should I read | Can you recommend a textbook for {x}
# travel
things: Iceland; Lisbon; Nepal; the Azores; Vietnam; Patagonia; Morocco; Kyoto; Croatia; Cuba; the Baltic states; Jordan; Scotland; Peru; Sardinia; Taiwan
also: in winter; with small children; on a budget; without a car; in one week; as a student; alone
the best time to visit {x} = When is the best time to visit {x} | What is the best month for a trip to {x} | At what time of the year should I go to {x}
the cost of a trip to {x} = How much does a trip to {x} cost | Is it expensive to travel to {x} | What budget do I need for {x}
safety in {x} = Is it safe to travel to {x} | How dangerous is {x} for tourists | Are there safety problems in {x}
sights in {x} = What are the must-see places in {x} | Which sights in {x} should I not miss | What is worth seeing in {x}
the visa for {x} = Do I need a visa for {x} | How do I get a visa for {x} | What documents are required to enter {x}
# app
things: Instagram; WhatsApp; Gmail; Dropbox; Spotify; LinkedIn; Skype; YouTube; Telegram; Reddit; Netflix; PayPal; Airbnb; Snapchat; Zoom; eBay
also: on an iPhone; without a phone number; on two devices; without losing data; on an old laptop; for a friend
deleting an account on {x} = How do I delete my {x} account | How can I permanently close my account on {x} | What is the way to get rid of a {x} profile
recovering a password for {x} = How do I reset my {x} password | I forgot my password for {x}, what can I do | How can I get back into {x} when I lost the password
the way {x} earns money = How does {x} make money | What is the business model of {x} | Where does the revenue of {x} come from
alternatives to {x} = What are good alternatives to {x} | Which services are similar to {x} | Is there anything better than {x}
hiding activity on {x} = How can I hide my activity on {x} | Can I use {x} without being seen | How do I go invisible on {x}
blocking on {x} = How do I know if somebody blocked me on {x} | What happens when you block someone on {x} | How can I block a person on {x}
# health
things: insomnia; back pain; hay fever; migraine; acne; anaemia; asthma; heartburn; vertigo; a cold; dry skin; high blood pressure; stress; toothache; hair loss; weight gain
also: during pregnancy; without medicine; in teenagers; at night; within a week; in old age
treating {x} = How can I get rid of {x} | What helps against {x} | What is the best treatment for {x} | How do you cure {x}
the causes of {x} = What causes {x} | Why do people get {x} | Where does {x} come from
signs of {x} = What are the symptoms of {x} | How do I know if I have {x} | What are early signs of {x}
food and {x} = Which foods are good for {x} | What should I eat when I have {x} | Does diet matter with {x}
the danger of {x} = Is {x} dangerous | Can {x} be a sign of something serious | Should I worry about {x}
# job
things: a nurse; a data analyst; a pilot; a lawyer; a carpenter; a translator; a teacher; an architect; a chef; a police officer; a vet; a graphic designer; a paramedic; a journalist; an electrician; an actuary
also: without a degree; after forty; in Canada; in Germany; part-time; in a small town; with no experience
becoming {x} = How do I become {x} | What does it take to become {x} | How can one start a career as {x}
the pay of {x} = How much does {x} earn | What is the salary of {x} | Do you make good money as {x}
a day of {x} = What does {x} do all day | What is a typical day of {x} like | How is the daily work of {x}
the interview for {x} = What are typical interview questions for {x} | How should I prepare for an interview as {x} | What do they ask {x} in a job interview
the future of {x} = Will the job of {x} be automated | Does {x} still have a future | Are machines going to replace {x}
# money
things: Bitcoin; a savings account; gold; an index fund; a pension plan; a house; a start-up; a government bond; a second-hand car; a student loan; life insurance; a credit card; a franchise; farmland
also: in India; at the age of 25; with little money; in a recession; after a divorce; for the long term
putting money into {x} = Should I put money into {x} | Is {x} a good investment | Does it make sense to invest in {x}
the risks of {x} = What are the risks of {x} | How risky is {x} | What can go wrong with {x}
the workings of {x} = How does {x} work | Can someone explain {x} in simple terms | What is the idea behind {x}
the price of {x} = What determines the price of {x} | How much does {x} cost | Why is {x} so expensive
mistakes with {x} = What mistakes should I avoid with {x} | What do most people get wrong about {x} | What do you wish you had known about {x}
# food
things: rice; sourdough bread; tofu; an omelette; coffee; salmon; hummus; beef stew; porridge; yoghurt; kimchi; risotto; lentil soup; cheesecake; green tea; potato salad
also: without an oven; for ten people; without sugar; in a microwave; for a baby; in advance; without eggs
making {x} = How do you make {x} | What is the best recipe for {x} | How is {x} prepared | What is the easiest way to make {x}
keeping {x} fresh = How long does {x} keep | How should I store {x} | When does {x} go bad
the health value of {x} = Is {x} healthy | What are the benefits of eating {x} | Is {x} good for you
the calories of {x} = How many calories are in {x} | Does {x} make you fat | Is {x} good for losing weight
the origin of {x} = Where does {x} come from | Who invented {x} | What is the history of {x}
# science
things: black holes; gravity; DNA; the northern lights; earthquakes; photosynthesis; superconductors; the Big Bang; vaccines; magnets; lasers; tides; viruses; dark matter; rainbows; radioactivity
also: in simple words; on Mars; for children; at very low temperatures; in quantum mechanics; in daily life
an explanation of {x} = What are the facts about {x} | How would you explain {x} | What should everybody know about {x}
the discovery of {x} = Who discovered {x} | When did people first understand {x} | How did scientists find out about {x}
the use of {x} = What is the use of {x} | How do we profit from {x} | Are there practical applications of {x}
open problems about {x} = What do we still not know about {x} | What are open questions about {x} | Which problems about {x} are unsolved
studying {x} = How do scientists study {x} | With which methods do scientists examine {x} | How can one do experiments on {x}
# life
things: jealousy; procrastination; a breakup; loneliness; stage fright; a bad boss; a noisy neighbour; homesickness; shyness; perfectionism; a long-distance relationship; grief; small talk; jet lag; boredom
also: at university; in your thirties; without hurting anyone; as an introvert; at work; in a new city
dealing with {x} = How do I deal with {x} | What can I do about {x} | How do you cope with {x} | What is the best way to handle {x}
the reasons for {x} = Why is there {x} | What is behind {x} | What are the psychological reasons for {x}
stories of {x} = What is your worst experience with {x} | Can you tell a story about {x} | What did {x} teach you
the end of {x} = Does {x} ever end | How long does {x} last | When will I be over {x}
advice about {x} = What is your best advice about {x} | What would you tell a friend with {x} | Do you have tips for {x}
# device
things: a laptop; an electric car; a washing machine; a smart TV; a 3D printer; a drone; a router; a bicycle; a pair of headphones; a heat pump; a tablet; a camera lens; a dishwasher; a coffee machine
also: under 300 euros; for a small flat; for a student; with a warranty; for outdoor use; for the elderly
buying {x} = What should I look for when buying {x} | How do I choose {x} | What should I know before I buy {x}
repairing {x} = How can I repair {x} | What can I do when {x} stops working | Can I fix {x} on my own
the life of {x} = How long does {x} last | What is the lifetime of {x} | After how many years do I have to replace {x}
the energy use of {x} = How much power does {x} use | Is {x} bad for the electricity bill | Does {x} need a lot of energy
cleaning {x} = How do I clean {x} | What is the right way to clean {x} | How often should {x} be cleaned
"""


@dataclass(frozen=True)
class Intent:
    """Something that is asked: the noun phrase that names it, and questions that ask it."""

    name: str
    wordings: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of thing, and what people ask about things of this kind."""

    name: str
    things: tuple[str, ...]
    limits: tuple[str, ...]
    intents: tuple[Intent, ...]


def read_kinds(table: str) -> tuple[Kind, ...]:
    """The kinds of a table written as this module says."""
    kinds = []
    for block in table.split("\n# ")[1:]:
        name, *lines = block.strip().splitlines()
        things, limits = (listed(line.partition(":")[2]) for line in lines[:2])
        intents = []
        for line in lines[2:]:
            asked, _, wordings = line.partition("=")
            intents.append(Intent(asked.strip(), listed(wordings, "|")))
        kinds.append(Kind(name.strip(), things, limits, tuple(intents)))
    return tuple(kinds)


KINDS = read_kinds(_TABLE)
