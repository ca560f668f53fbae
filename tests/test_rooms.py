"""The picture of the rooms is drawn from the imports."""

import pytest
from rooms import BLOCK, GROUND, PAGE, imports_of_rooms, picture

BARE: dict[str, set[str]] = {low: set() for low in GROUND}


def test_architecture_shows_the_rooms_as_they_are():
    shown = BLOCK.search(PAGE.read_text())
    assert shown is not None
    assert shown[0] == picture(imports_of_rooms()), "python .ci/rooms.py --write"


def test_an_arrow_that_follows_from_two_others_is_left_out():
    drawn = picture(BARE | {"top": {"middle", "low", "files"}, "middle": {"low"}, "low": set()})
    assert [line.strip() for line in drawn.splitlines() if "-->" in line] == [
        "middle --> low",
        "top --> middle",
    ]


def test_what_all_use_may_use_no_room():
    with pytest.raises(ValueError, match="seeds must import no room, it imports corpus"):
        picture(BARE | {"seeds": {"corpus"}, "corpus": set()})
