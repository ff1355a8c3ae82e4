"""Cutting, wrapping and colouring text."""

# ruff: noqa: RUF001 - dashes and crosses are what is printed

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.reports.text import Screen, Span, cell_width, flow, words

PLAIN = Screen(width=80, color=False, unicode=True)
ASCII = Screen(width=80, color=False, unicode=False)


@pytest.mark.parametrize(
    ("text", "cells"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("商品", 4), ("🚀", 2), ("✓", 1), ("", 0)]
)
def test_the_width_is_that_of_a_terminal(text, cells):
    assert cell_width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("GET Get_All", 11, "GET Get_All"),
        ("GET Get_All", 10, "GET G…_All"),
        ("GET Get_All", 3, "G…l"),
        ("GET Get_All", 2, "GE"),
        ("商品一覧表示", 8, "商品…示"),
    ],
)
def test_a_long_name_loses_its_middle(text, cells, shown):
    assert PLAIN.shorten(text, cells) == shown


@given(st.text(), st.integers(0, 40))
def test_a_shortened_name_fits(text, cells):
    for screen in (PLAIN, ASCII):
        assert cell_width(screen.shorten(screen.clean(text), cells)) <= cells


@given(st.text())
def test_clean_text_is_one_line_that_steers_nothing(text):
    assert "\033" not in PLAIN.clean(text)
    assert len(PLAIN.clean(text).splitlines()) <= 1
    assert ASCII.clean(text).isascii()


def test_control_characters_are_shown_as_replaced():
    assert PLAIN.clean("\ufdcfa\ufffeb\uffff\ufffd") == "\ufdcfa\ufffdb\ufffd\ufffd"
    assert PLAIN.clean("a\033[31mb\n\tc\u202ed") == "a�[31mb c�d"
    assert ASCII.clean("a\033[31mb – é ≤ ✓") == "a?[31mb - ? <= ok"


def test_figures_stay_with_their_units_when_a_sentence_is_wrapped():
    shown = [span.text for span in words("p95 312 ms breaks <= 250 ms (n = 0; a.yaml:1)")]

    assert shown == ["p95", "312 ms", "breaks", "<= 250 ms", "(n = 0;", "a.yaml:1)"]


def test_a_sentence_is_wrapped_behind_its_label():
    lines = flow("notes", words("one two three four"), width=24, hang=2)

    assert [PLAIN.line(line) for line in lines] == ["notes      one two three", "             four"]


def test_a_word_that_no_line_has_room_for_is_split():
    lines = flow("notes", words("abcdefghijkl m"), width=16)

    assert [PLAIN.line(line) for line in lines] == ["notes      abcde", "           fghij", "           kl m"]


def test_a_line_is_cut_at_the_width_and_coloured_by_style():
    screen = Screen(width=6, color=True, unicode=True)

    assert screen.line([Span("ab", "red"), Span("cd", "red"), Span("efgh")]) == "\033[31mabcd\033[0mef"
    assert screen.line([Span("ab"), Span("   ", "red")]) == "ab"
