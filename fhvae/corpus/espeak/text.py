"""The sentences of the embedded corpus: a small grammar of our own.

Two sentences are common to all speakers and stand in a split of their own; the rest occur once.
The words of a sentence decide its split, so the texts of train, dev and test are disjoint
whatever the sizes of the corpus. The words are chosen so that rare English sounds come often.
"""

import hashlib

import numpy as np

COMMON_SENTENCES = (
    "Our young thief should watch the beige jar of honey by the azure pool.",
    "Joy found nothing there but a thick rug, two chairs, and a hungry pup.",
)
TEMPLATES = (
    "{name} {verb} the {adjective} {noun} {adverbial}.",
    "The {adjective} {noun} {verb} our {noun} {adverbial}.",
    "{adverbial}, {name} {verb} the {noun} and the {adjective} {noun}.",
    "Who {verb} the {adjective} {noun} {adverbial}?",
    "The {noun} of the {adjective} {noun} {verb} {name}.",
    "{name} and {name} {verb} their {adjective} {noun}, not the {noun}.",
)
OWNERS = ("train", "dev", "test", "noise")  # noise: the voices of background babble


def _entries(text: str) -> tuple[str, ...]:
    """Split a list at white space; an underscore joins the words of one entry."""
    return tuple(entry.replace("_", " ") for entry in text.split())


WORDS = {
    "name": _entries("""
Joyce Roy George Thelma Vivian Hugh Beth Judy
Owen Yolanda Ruth Zoe Paul Heather Jean Louise
"""),
    "adjective": _entries("""
huge young yellow usual casual unusual beige azure
thin thick healthy wealthy smooth northern southern other
royal noisy moist annoying boiling spoiled
loud brown proud round sour cloudy
good full wooden woolen crooked
strong long wrong hungry angry pink
cheap rich chilly charming
gentle strange large jolly
sharp shy fresh special precious foolish
lazy easy dizzy busy frozen
happy heavy hot humble whole
vivid brave clever evil
quick white quiet sweet
little purple simple gloomy
red rare rough narrow
new main calm tame
big pale deep
dark tall tiny great
fine safe careful cold
"""),
    "noun": _entries("""
measure vision garage treasure camouflage leisure mirage version division
erosion fusion collision
boy oil coin voice toy point soil choice noise oyster joint moisture
thumb bath path thief month moth tooth earth thread throne theory author
feather weather brother mother leather father clothing rhythm
yard yacht yeast youth yogurt yarn union onion
house mouth cow town owl cloud crowd flower tower mountain trousers shower
book cook hook foot wood wool bush cushion pudding sugar
ring song king string wing finger hunger jungle singer banker ankle morning
chair chain cheese church match beach kitchen picture teacher chimney
judge bridge page giant jar jacket pigeon orange village magic
ship shelf sheep fish brush ocean station shadow mission
zoo zebra rose prize breeze museum music cousin lizard closet
hat hill horse hammer harbor hotel hand hero
van vase veil valley river stove glove oven
wheel window wagon wizard queen quilt question squirrel
lake leaf lamp lemon ladder table pillow turtle uncle apple bottle
rug rain road root rabbit carrot arrow mirror
nut net needle nurse nest moon mule map milk magnet lime
pig pen pipe paper cup cap tape bag bell ball bird bee baby
duck door desk dog dam tent tail tiger toad goat gate garden goose
fan fork farm phone cave coat kite cake sky snake soap spoon
"""),
    "verb": _entries("""
measured treasured watched touched reached searched
enjoyed destroyed joined pointed avoided
found counted surrounded doubted
pushed pulled looked_for understood took
judged changed managed imagined
thanked threw thought_of bathed
brought sang rang hung
showed washed shook finished
used chose raised noticed
held hid hit hated
loved saved visited invited
wanted welcomed required
liked lost filled called
ran_past wrote remembered carried
named met kept made bought
did dropped guarded found_out_about fed followed covered
"""),
    "adverbial": _entries("""
by_the_azure_pool
after_a_long_pause
in_the_garage
without_much_noise
for_the_third_time
on_Thursday_morning
at_the_age_of_four
near_the_old_church
with_both_hands
under_a_gray_cloud
just_for_pleasure
at_the_usual_hour
in_the_south
behind_the_yellow_house
every_other_month
during_the_voyage
with_great_joy
in_a_small_town
before_the_decision
over_the_hedge
"""),
}


def owner(sentence: str) -> str:
    """Tell which part of the corpus may speak a sentence; a property of its words alone."""
    digest = hashlib.sha256(sentence.encode()).digest()
    return OWNERS[digest[0] % len(OWNERS)]


def draw_sentence(part: str, used: set[str], random: np.random.Generator) -> str:
    """Draw a sentence of a part of the corpus that is not among the used ones."""
    while True:
        sentence = _compose(random)
        if owner(sentence) == part and sentence not in used:
            return sentence


def _compose(random: np.random.Generator) -> str:
    """Fill a template; within a sentence no word comes twice."""
    sentence = TEMPLATES[random.integers(len(TEMPLATES))]
    chosen: set[str] = set()
    for kind, words in WORDS.items():
        while f"{{{kind}}}" in sentence:
            word = words[random.integers(len(words))]
            if word not in chosen:
                chosen.add(word)
                sentence = sentence.replace(f"{{{kind}}}", word, 1)
    return sentence[0].upper() + sentence[1:]
