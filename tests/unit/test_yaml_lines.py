"""Reading YAML: plain values, exact lines, and no way to make the reader raise or hang."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailgate.yaml_lines import MAX_CHARACTERS, read_yaml, render_path, shorten


def problems(text: str) -> list[str]:
    return [problem.render("file.yaml") for problem in read_yaml(text).problems]


def test_every_key_and_item_knows_its_line():
    text = """\
# a comment
a:
  b: 1
  "c d": {x: 1,
    y: 2}

e:
  - 5
  - f: |
      two
      lines
    g: end
"""
    document = read_yaml(text)

    assert document.data == {"a": {"b": 1, "c d": {"x": 1, "y": 2}}, "e": [5, {"f": "two\nlines\n", "g": "end"}]}
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c d"): 4,
        ("a", "c d", "x"): 4,
        ("a", "c d", "y"): 5,
        ("e",): 7,
        ("e", 0): 8,
        ("e", 1): 9,
        ("e", 1, "f"): 9,
        ("e", 1, "g"): 12,
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(newline: str):
    assert read_yaml(newline.join(["a: 1", "", "é😀: 2"])).lines["é😀",] == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250", 250),
        ("-0250", -250),
        ("1e3", 1000.0),
        ("+.5", 0.5),
        ("1.", 1.0),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("off", "off"),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'250'", "250"),
        ("!!str 250", "250"),
        ("!!int '250'", 250),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(text: str, value: object):
    document = read_yaml(f"a: {text}")

    assert document.problems == ()
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


def test_every_key_is_text():
    assert read_yaml("5: a\ntrue: b\n~: c\n1.50: d").data == {"5": "a", "true": "b", "~": "c", "1.50": "d"}


def test_a_merged_key_has_the_line_where_it_was_written():
    document = read_yaml("a: &a {x: 1,\n  y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 5")

    assert document.data["c"] == {"x": 5, "y": 2, "z": 4}
    assert [document.lines["c", key] for key in "xyz"] == [6, 2, 3]


def test_an_empty_document_is_none():
    assert read_yaml("").data is None
    assert read_yaml("# words\n").problems == ()


def test_of_a_key_written_twice_the_first_counts():
    assert read_yaml("a: 1\nb: 2\na: 3").data == {"a": 1, "b": 2}
    assert problems("a: 1\nb: 2\n'a': 3") == [
        "file.yaml:3: $.a: the key is written twice, first in line 1; keep one of them"
    ]


def test_a_mistake_behind_an_anchor_is_told_once():
    assert problems("a: &a {x: .nan}\nb: *a\nc: {<<: *a}") == [
        "file.yaml:1: $.a.x: .nan is not a finite number; write one such as 250"
    ]


def test_refused_values_are_left_out():
    document = read_yaml("a: {x: .inf, y: 2}\nb: [1, !!python/name:os.system x, 3]")

    assert document.data == {"a": {"y": 2}, "b": [1, None, 3]}
    assert len(document.problems) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\0", "file.yaml:1: not valid YAML: character U+0000 is not allowed; delete it"),
        ("a\n\nb: \ud800", "file.yaml:3: not valid YAML: character U+D800 is not allowed; delete it"),
        (
            "%YAML 3.0\n---\na",
            "file.yaml:1: column 1: not valid YAML: found incompatible YAML document (version 1.* is required)",
        ),
        ("a: 5" + "0" * 5000, f"file.yaml:1: $.a: 5{'0' * 58}… is not a finite number; write one such as 250"),
        (
            'a: "\\ud800"',
            "file.yaml:1: $.a: '\\ud800' holds half a surrogate pair; write the character itself",
        ),
        ("a: !!set {x, y}", "file.yaml:1: $.a: the tag !!set is not allowed here; write a plain value without a tag"),
        ("a: !!bool maybe", "file.yaml:1: $.a: the tag !!bool is not allowed here; write a plain value without a tag"),
        ("x" * (MAX_CHARACTERS + 1), "file.yaml:1: 262,145 characters; at most 262,144 are read"),
    ],
)
def test_what_cannot_be_read_is_one_message(text: str, message: str):
    assert problems(text) == [message]


def _nested(shape: str) -> str:
    return "a: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} {shape.format(f'*a{n - 1}')}\n" for n in range(1, 60))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[" * 100_000, "nested deeper than 40 levels"),
        ("{" * 100_000, "nested deeper than 40 levels"),
        ("- " * 100_000, "nested deeper than 40 levels"),
        ("? " * 100_000, "nested deeper than 40 levels"),
        (_nested("[{0}, {0}, {0}]"), "more than 50,000 values once its aliases are followed"),
        (_nested("[[{0}]]"), "nested deeper than 40 levels once its aliases are followed"),
        ("a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)), "50,000"),
        ("a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 60)), "merged more than 40"),
        ("a: &a {b: {c: *a}}", "contains itself through an alias"),
        ("a: &a {b: {<<: *a}}", "merges a mapping into itself"),
    ],
)
def test_bombs_are_refused(text: str, word: str):
    assert word in problems(text)[0]


@given(st.text(st.sampled_from("ab1.-~:,[]{}&*!|>'\"%@`#?<= \n\t\\é\0\ufeff")) | st.text())
@settings(deadline=None)
def test_no_text_makes_the_reader_raise(text: str):
    document = read_yaml(text)

    assert all(problem.line >= 1 for problem in document.problems)
    assert document.lines[()] >= 1


def test_a_path_is_rendered_as_jsonpath():
    assert render_path(()) == "$"
    assert render_path(("a", "p95_ms", "p99.9_ms", 0, "it's", "n\n")) == """$.a.p95_ms['p99.9_ms'][0]["it's"]['n\\n']"""


def test_long_text_is_cut_with_an_ellipsis():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
