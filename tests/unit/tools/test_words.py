"""What `make lint` says of words, and where it looks for them."""

from pathlib import Path

import pytest

from tools.words.__main__ import complaints
from tools.words.passages import Passage, passages
from tools.words.rules import LONGEST_SENTENCE, findings, words


@pytest.mark.parametrize(
    "text",
    [
        "Nobody reads it.",
        "Whoever sends it is refused.",
        "Kept, whatever it says.",
        "Works if the file is there.",
        "So that without a secret it fails.",
        "A metric tells that it failed.",
        "The caller is told.",
        "It is not said which stack is meant.",
        "The page speaks of keys.",
        "It shall stop.",
        "The table is filled anew.",
        "It goes on with the next.",
        "The key is made by the operator.",
        "Make a key first.",
        "It ends the key.",
        "API Gateway asks the authorizer.",
        "The API refuses whoever it does not know.",
        "The rule stands in the map.",
        "The credential proves nobody.",
        "Look whether it answers.",
        "No client can be had.",
        "It reads a record and no more.",
        "It tries in vain.",
        "Done! It works.",
    ],
)
def test_a_phrase_that_plain_english_does_without_is_found(text: str) -> None:
    assert len(list(findings(text))) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "Is there a key? There is no limit.",
        "The servers fail when they are told to.",
        "The two cannot be told apart.",
        "Every secret is made up.",
        "A star stands for any text.",
        "The fake stands in for DynamoDB.",
        "Look up whether the key exists.",
        "Weekends are quiet, and backends agree.",
        "`nobody` is a user, and `!Ref` a tag.",
        "The endpoint makes an appointment.",
    ],
)
def test_a_phrase_that_only_looks_alike_passes(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(complaints([page])) == []


def test_a_sentence_may_have_as_many_words_as_the_limit() -> None:
    longest = "Word" + " word" * (LONGEST_SENTENCE - 1)
    assert list(findings(f"{longest}. {longest}.")) == []
    assert len(list(findings(f"{longest} word."))) == 1


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("Read the record's `code` twice.", 5),
        ("One of `code`, `code` and `code`.", 3),
        ("See [the page](https://a.example/b/c).", 3),
        ('See "Control access to HTTP APIs with Lambda authorizers".', 2),
    ],
)
def test_code_links_and_titles_count_as_one_word(sentence: str, count: int) -> None:
    assert words(sentence) == count


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        (
            "page.md",
            "# Head\n\nOne\ntwo.\n- item\n  more\n\n```\nnobody\n```\n| a | b `x|y` |\n|---|---|\n",
            [(1, "Head"), (3, "One two."), (5, "item more"), (11, "a"), (11, "b `code`")],
        ),
        (
            "module.py",
            '"""Summary.\n\nMore.\n"""\nA = 1  # why it\n# One\n# two.\nB = f"no {A} here"\n',
            [
                (1, "Summary."),
                (3, "More."),
                (8, "no `code` here"),
                (5, "why it"),
                (6, "One two."),
            ],
        ),
        (
            "module.py",
            '"""Do it.\n\n    Raises:\n        Failed: if\n            so.\n    """\n',
            [(1, "Do it."), (4, "if so.")],
        ),
        ("module.py", 'A = """\n# no comment at all\n"""\n', [(2, "no comment at all")]),
        (
            "template.yaml",
            "# Why.\nA:\n  B: a b\n  Description: >-\n    So\n    on.\nC: [{Description: x y}]\n",
            [(4, "So on."), (7, "x y"), (1, "Why.")],
        ),
        (
            "page.js",
            '// Why\n// so.\nsay("a b c", `d ${e} f g`, "h");\n',
            [(3, "a b c"), (3, "d `code` f g"), (1, "Why so.")],
        ),
        (
            "page.html",
            "<p>A <b>bold</b> word.</p><p>Next.</p>",
            [(0, "A bold word."), (0, "Next.")],
        ),
        ("some.toml", 'a = "b c d"  # why\n# alone\n', [(1, "why"), (2, "alone")]),
        ("Makefile", "all: ## Do it\n\tcc # here\n", [(1, "Do it"), (2, "here")]),
        ("picture.svg", "<text>nobody</text>", []),
    ],
)
def test_the_passages_of_each_kind_of_file(
    name: str, content: str, found: list[tuple[int, str]], tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(content)
    assert list(passages(file)) == [Passage(line, text) for line, text in found]


def test_the_strings_of_a_test_are_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tests").mkdir()
    file = Path("tests/test_it.py")
    file.write_text('"""About it."""\n\n# Why.\nA = "nobody is there"\n')
    assert list(passages(file)) == [Passage(1, "About it."), Passage(3, "Why.")]


def test_a_complaint_names_the_file_the_line_and_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("Fine.\n\nNobody is.\n")
    assert list(complaints([file])) == [f"{file}:3: `Nobody`: say who, or `no one`"]
