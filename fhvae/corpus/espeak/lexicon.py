"""The words of the embedded corpus, chosen so that rare English sounds come often."""


def _entries(text: str) -> tuple[str, ...]:
    """Split a list at white space; an underscore joins the words of one entry."""
    return tuple(entry.replace("_", " ") for entry in text.split())


NAMES = _entries("""
Joyce Roy George Thelma Vivian Hugh Beth Judy
Owen Yolanda Ruth Zoe Paul Heather Jean Louise
""")

NOUNS = _entries("""
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
""")

ADJECTIVES = _entries("""
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
""")

VERBS = _entries("""
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
""")

ADVERBIALS = _entries("""
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
""")
