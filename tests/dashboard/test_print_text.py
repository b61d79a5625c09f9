"""Lines of printed figures run in the direction of the whole text."""

from capo_core.dashboard.ui.print_text import wrapped

LEFT, RIGHT = "\u200e", "\u200f"


def test_a_line_that_begins_with_arabic_keeps_the_direction_of_an_english_sentence():
    lines = wrapped("Share of explanations with “لأن الكلمات واضحة” in them", 26)
    assert len(lines) == 3
    assert lines[0][0] not in (LEFT, RIGHT) and lines[1][0] == LEFT and "“" in lines[1]
    assert " ".join(line.lstrip(LEFT) for line in lines) == (
        "Share of explanations with “لأن الكلمات واضحة” in them"
    )


def test_a_text_from_right_to_left_keeps_its_direction_too():
    lines = wrapped("الكلمات واضحة في CAPO Lab 0.2 هنا", 16)
    assert any(line[0] == RIGHT for line in lines[1:])
    assert wrapped("“لأن” (61 %)", 40) == ["“لأن” (61 %)"]
    assert wrapped("12 %", 40) == ["12 %"] and wrapped("", 40) == []


def test_letters_of_east_asia_take_the_room_of_two():
    assert max(map(len, wrapped("因为这句话写得很清楚所以没有疑问", 12))) == 6
    assert wrapped("because it is clear", 12) == ["because it", "is clear"]
