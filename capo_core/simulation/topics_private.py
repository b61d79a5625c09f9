# ruff: noqa: E501
"""Vocabulary of private life for NLI items: kitchen, office, sport, health, money, school, home.

Read by `topics.py`, which says how a line is meant.
"""

PRIVATE = """
# kitchen
people: the cook; my aunt; the waiters; a pastry chef; the twins; the dinner guests; the baker; our host
baked|bake|made in the oven|burned: #loaves of rye bread; an apple pie; #almond biscuits; a salted trout; a birthday cake
served|serve|dished up|took away: lentil soup; #plates of dumplings; roast lamb; a bowl of cherries; strong black tea; #pancakes
tasted|taste|tried|refused: the goat cheese; the wedding menu; a spoonful of chutney; #desserts; the mushroom stew
spilled|spill|knocked over|wiped up: the gravy; a jug of milk; red wine; the vinegar; #glasses of juice
places: in the tiny kitchen; at the long table; on the terrace; in the canteen; over an open fire
matters: the recipe; the taste of the meal; the number of guests; the price of the menu
states: the soup|cold|not warm at all|hot; the curry|spicy|hot and peppery|bland; the bread|stale|old|fresh; the meal|delicious|very tasty|awful
# office
people: the manager; the interns; an accountant; the sales team; our secretary; the two partners; the new director; the cleaning staff
finished|finish|completed|gave up: the annual report; #spreadsheets; a proposal for the bank; the inventory; the translation
postponed|postpone|put off|brought forward: the staff meeting; #interviews; the move to the new building; the product launch; the audit
hired|hire|took on|fired: #programmers; a night guard; a consultant from abroad; #temporary workers; a designer
deleted|delete|erased|saved: #emails; the client list; the minutes of the meeting; an important folder; the draft of the speech
places: on the third floor; in the conference room; at head office; during the lunch break; in the copy room
matters: the salary of the staff; the deadline; the opinion of the boss; the reason for the delay
states: the meeting|boring|dull|exciting; the deadline|tight|short|generous; the printer|broken|out of order|working; the boss|satisfied|pleased|angry
# sport
people: the goalkeeper; the home team; a young swimmer; the coach; the rowers; the marathon runners; the referee; the reigning champion
won|win|came first in|lost: the regional cup; #matches; the relay; the chess tournament; the final; #medals
trained for|train for|prepared for|skipped: the triathlon; the winter games; #races; the qualifying round; the title fight
injured|injure|hurt|protected: a knee; the left shoulder; #fingers; an ankle; the captain
broke|break|beat|missed: the club record; the world record in the long jump; the time limit; the track record
places: in the national stadium; at the lake; on the indoor track; in the mountains; in front of a small crowd
matters: the final score; the age of the players; the attendance; the training methods
states: the match|exciting|thrilling|boring; the team|exhausted|very tired|rested; the race|tough|hard|easy; the stadium|packed|full|half empty
# health
people: the nurse; the surgeons; a patient; the dentist; the elderly couple; the pharmacist; the midwives; the therapist
treated|treat|took care of|turned away: #patients; a broken wrist; a case of measles; the burns; the injured climber
recommended|recommend|advised|warned against: a low-salt diet; #daily walks; an operation; the flu shot; warm baths; a course of antibiotics
stopped|stop|gave up|began: smoking; the painkillers; the physical therapy; the fasting; night shifts
examined|examine|checked|overlooked: the X-ray; #blood samples; the swollen knee; the child's ears; the scar
places: in the emergency room; at the village clinic; on the maternity ward; at home; in the rehabilitation centre
matters: the side effects; the age of the patient; the cause of the illness; the cost of the treatment
states: the wound|deep|serious|shallow; the patient|healthy|well|ill; the treatment|painful|unpleasant|painless; the ward|overcrowded|too full|empty
# money
people: the bank; the widow; an investor; the students; the landlord; the pensioners; the insurance company; my cousin
borrowed|borrow|took out a loan of|paid back: a large sum; #pounds; the deposit for the flat; money for a van; the school fees
invested in|invest in|put money into|sold: #solar panels; a vineyard; government bonds; a start-up; #gold coins; real estate
saved|save|put aside|spent: #dollars; half of the salary; enough for a holiday; the inheritance; small change
paid|pay|settled|disputed: the electricity bill; #invoices; the ransom; the deposit; the hospital costs; the library fine
places: at the savings bank; in cash; at the stock exchange; through an agency; in instalments
matters: the interest rate; the size of the debt; the income of the family; the value of the shares
states: the loan|risky|dangerous|safe; the investor|rich|wealthy|poor; the fee|high|considerable|low; the flat|affordable|not too expensive|too expensive
# school
people: the pupils; the headmistress; a maths teacher; the parents; the exchange students; the librarian; the professor; the choir
passed|pass|succeeded in|failed: the entrance exam; #tests; the driving theory; the oral examination; the Latin course
borrowed|borrow|took out|returned: #novels; a microscope; the dictionary; #laptops; an old atlas; the school bus
learned|learn|memorised|forgot: #poems; the national anthem; a folk dance; the periodic table; the names of the rivers
organised|organise|arranged|cancelled: a trip to the planetarium; #workshops; the summer fete; a reading night; the reunion
places: in the gym; in the reading room; at the boarding school; on campus; in the music room
matters: the grades of the class; the difficulty of the test; the age of the pupils; the subject of the lecture
states: the lecture|confusing|hard to follow|clear; the exam|difficult|hard|easy; the classroom|noisy|loud|silent; the essay|brilliant|excellent|terrible
# home
people: my grandfather; the children; our neighbour; the young couple; the landlady; the plumber; the whole family; my roommate
cleaned|clean|tidied|messed up: the attic; #windows; the fish tank; the garage; the fireplace; the guest room
bought|buy|purchased|sold: a second-hand piano; #curtains; a leather sofa; #garden chairs; a washing machine; the cottage
planted|plant|put in|dug up: #rose bushes; a fig tree; #tulip bulbs; a hedge; tomatoes; a herb garden
lost|lose|misplaced|found: the house keys; a wedding ring; #umbrellas; the remote control; an old photograph; the cat
places: in the backyard; in the hallway; at the cottage; upstairs; next to the shed
matters: the colour of the walls; the size of the house; the mood of the family; the time it took
states: the cellar|damp|wet|dry; the house|spacious|large|small; the garden|neglected|not cared for|tidy; the dog|friendly|gentle|aggressive
# arts
people: the novelist; the orchestra; a street musician; the film crew; the sculptor; the actors; the publisher; the pianist
wrote|write|composed|burned: #letters; a play about miners; a lullaby; #short stories; the score of the film; a memoir
performed|perform|played|cancelled: a piece by a local composer; #songs; the last act; a comedy; the violin concerto; a puppet show
reviewed|review|wrote about|ignored: the new album; #plays; a detective novel; the opening night; the documentary
collected|collect|gathered|gave away: #masks; old postcards; #records; rare stamps; tin toys; theatre tickets
places: at the festival; in a small theatre; in the recording studio; on a tour abroad; in the old cinema
matters: the reaction of the audience; the title of the book; the talent of the artist; the ticket sales
states: the film|funny|amusing|sad; the concert|sold out|fully booked|poorly attended; the novel|long|of great length|short; the singer|famous|well known|unknown
"""
