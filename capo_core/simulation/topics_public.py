# ruff: noqa: E501
"""Vocabulary of public life for NLI items: trade, politics, law, transport, science, war, towns.

Read by `topics.py`, which says how a line is meant.
"""

PUBLIC = """
# trade
people: the grocers; the wool merchant; two brokers; the market traders; a carpet dealer; the exporters; the shopkeeper; the auction house
sold|sell|traded|bought: #crates of oranges; #sacks of barley; olive oil; #silk scarves; a shipment of copper; #antique clocks; dried fish
shipped|ship|sent off|held back: #barrels of cider; #boxes of tea; a load of timber; raw cotton; #spare tyres; #wheels of cheese
raised|raise|increased|lowered: the price of sugar; the rent of the stalls; the delivery fee; the wages of the porters
opened|open|started|closed: a second branch; a stall near the bridge; a bakery; #corner shops; a warehouse for spices
places: at the harbour; in the covered market; near the customs office; behind the railway depot; at the spring fair
matters: the quality of the goods; the profit they made; the name of the buyer; the tax on imports
states: the shop|crowded|full of people|empty; the carpets|expensive|costly|cheap; the harvest|poor|bad|plentiful; the coffee beans|fresh|newly roasted|stale
# politics
people: the mayor; the senators; the council; the opposition; a former minister; the governor; the party leaders; the ambassador
approved|approve|passed|rejected: a new budget; the water treaty; #housing projects; a ban on fireworks; the reform of pensions; a curfew
announced|announce|made public|concealed: an early election; #job cuts; the end of the strike; a plan for the old barracks; a visit to the border
criticised|criticise|attacked|praised: the tax bill; the police report; the new textbook; the handling of the flood; the airport expansion
met|meet|saw|avoided: #trade union members; the foreign press; a delegation of nurses; the widow of the president; #protesters
places: in the town hall; in parliament; at the summit; on national television; during the campaign
matters: the opinion of the voters; the cost of the plan; the support of the party; the outcome of the vote
states: the debate|heated|fierce|calm; the vote|close|tight|one-sided; the minister|popular|well liked|disliked; the coalition|fragile|weak|stable
# law
people: the judge; the jury; two detectives; the lawyers; a retired constable; the prosecutors; the witness; the inspector
dismissed|dismiss|threw out|upheld: the complaint; #parking fines; the claim of the landlord; a charge of fraud; the appeal
found|find|discovered|lost: #stolen bicycles; a forged passport; the missing will; #fingerprints; a hidden ledger; the murder weapon
questioned|question|interviewed|ignored: the night porter; #neighbours; the gardener; the bank clerk; #passengers
signed|sign|put a signature on|tore up: the confession; the lease; a settlement; the adoption papers; #contracts
places: at the courthouse; in the cellar; at the station; in a village near the coast; in the judge's office
matters: the motive of the crime; the verdict; the length of the sentence; the identity of the thief
states: the evidence|convincing|persuasive|weak; the trial|long|lengthy|short; the witness|nervous|uneasy|relaxed; the clause|ambiguous|unclear|precise
# transport
people: the bus driver; the railway company; commuters; the pilots; a ferry captain; the cyclists; the taxi firm; two mechanics
repaired|repair|fixed|damaged: #tram lines; the engine of the ferry; a broken signal; #carriages; the runway; the drawbridge
delayed|delay|held up|brought forward: the night train; #flights; the launch of the metro; the school bus; the departure of the convoy
missed|miss|failed to catch|caught: the last ferry; the connection to the airport; the six o'clock bus; the express train
built|build|constructed|tore down: a cycle path; #bus shelters; a tunnel under the river; a car park; a roundabout; #bridges
places: at the central station; on the ring road; at the northern terminal; near the lighthouse; on the mountain pass
matters: the ticket price; the number of passengers; the state of the brakes; the length of the delay
states: the road|icy|slippery|dry; the train|late|behind schedule|on time; the tickets|cheap|affordable|expensive; the tunnel|narrow|tight|wide
# science
people: the researchers; a chemist; the laboratory; two astronomers; the field team; the doctoral student; the geologist; the engineers
measured|measure|recorded|ignored: the acidity of the lake; #soil samples; the speed of the particles; the height of the waves; the pulse of the whales
published|publish|brought out|withdrew: #articles; a map of the seabed; the results of the trial; an atlas of mosses; a letter on vaccines
discovered|discover|came across|overlooked: #craters; a new kind of beetle; an error in the model; #ancient tools; a source of warm water
tested|test|tried out|abandoned: a battery made of salt; #prototypes; the theory of the tides; a robot arm; a cure for hay fever
places: in the desert; at the institute; on a research vessel; in the polar station; under the microscope
matters: the accuracy of the method; the funding of the project; the size of the sample; the name of the species
states: the experiment|successful|a success|a failure; the samples|contaminated|polluted|clean; the theory|controversial|disputed|accepted; the telescope|huge|enormous|tiny
# weather
people: the forecasters; the islanders; the rescue crew; the ski resort; the sailors; farmers in the valley; the coast guard; the meteorologist
predicted|predict|forecast|ruled out: #storms; a mild winter; heavy snow; a drought; #sunny days; a flood by the weekend
escaped|escape|got away from|were caught in: the hurricane; the rising water; the avalanche; the forest fire; the sandstorm
closed|close|shut|opened: the coastal road; #schools; the harbour gates; the cable car; the observation deck
recorded|record|measured|missed: #lightning strikes; the coldest night of the decade; a gust of wind; the first frost; the rainfall
places: on the east coast; in the highlands; along the river; in the capital; above the tree line
matters: the temperature that day; the damage to the houses; the strength of the wind; the warning given before
states: the morning|foggy|misty|clear; the sea|rough|stormy|calm; the winter|harsh|severe|mild; the river|swollen|high|low
# history
people: the king; the settlers; the monks; a Roman general; the rebels; the shipbuilders; the emperor; the pilgrims
founded|found|established|destroyed: a monastery; #colonies; the oldest university; a trading post; the royal mint
conquered|conquer|captured|surrendered: the hill fort; #towns; the island; the salt mines; the capital of the kingdom
burned|burn|set fire to|saved: the archives; #ships; the wooden palace; the granary; the bridge over the gorge
restored|restore|rebuilt|demolished: the cathedral; a row of statues; #frescoes; the castle walls; the aqueduct
places: on the hill; at the mouth of the river; in the southern province; near the frontier; outside the city walls
matters: the reason for the war; the number of the dead; the name of the architect; the wealth of the city
states: the fortress|ruined|in ruins|intact; the city|wealthy|rich|poor; the siege|brief|short|long; the treaty|secret|hidden|public
# city
people: the residents; the tourists; a local guide; the museum; the architects; the caretaker; the theatre company; the neighbours
visited|visit|toured|stayed away from: the botanical garden; #galleries; the flea market; the opera house; the old synagogue; #cafes
painted|paint|coloured|left untouched: the facade; #park benches; a mural of a whale; the railings; the ceiling of the library
planned|plan|prepared|cancelled: a street festival; #concerts; a night walk; the reopening of the pool; an exhibition of posters
complained about|complain about|objected to|welcomed: the noise; the new skyscraper; #delivery vans; the smell of the brewery; the parking rules
places: in the old quarter; by the canal; on the main square; behind the cathedral; in the northern suburbs
matters: the entrance fee; the opening hours; the age of the building; the opinion of the locals
states: the square|quiet|peaceful|noisy; the hotel|luxurious|very comfortable|shabby; the museum|free|without charge|expensive; the street|dangerous|unsafe|safe
"""
