"""Configuration files: what YAML reads as something other than what is written is refused, with its line."""

from pathlib import Path

import pytest

from gpip.config import load_project
from gpip.config.files import read_config
from gpip.core.errors import InputError

REFUSED = {
    "a system twice": ("systems:\n  a: {species: {EC: 9}}\n  b: {}\n  a: {}\n", r"line 4: the key 'a' .* in line 2"),
    "a species twice": (
        "systems:\n  a:\n    species: {EC: 9, PC: 1, EC: 3}\n",
        r"line 3: the key 'EC' .* in this line",
    ),
    "a section twice": ("seed: 1\nsystems: {}\nseed: 2\n", r"line 3: the key 'seed' .* in line 1"),
    "quoted and plain": ("a: 1\n'a': 2\n", r"line 2: the key 'a'"),
    "below a list": ("a:\n- {b: 1}\n- c: 1\n  c: 2\n", r"line 4: the key 'c'"),
    "in what is merged": ("a: &x {b: 1, b: 2}\nc: {<<: *x}\n", r"line 1: the key 'b'"),
    "beside a merge key": ("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n  b: 3\n", r"line 5: the key 'b' .* in line 4"),
    "JSON": ('{"seed": 1,\n "seed": 2}', r"the key 'seed' is given twice"),
    "OFF as a name": (
        "systems:\n  a: {species: {OFF: 3}}\n",
        r"line 2: .* name OFF as true or false; .* quotes: 'OFF'",
    ),
    "a number as a name": ("systems:\n  1: {}\n", r"line 2: .* name 1 as a number; .* quotes: '1'"),
    "a date as a name": ("systems:\n  2024-05-01: {}\n", r"line 2: .* as a date"),
    "nothing as a name": ("systems:\n  ~: {}\n", r"line 2: .* as nothing"),
    "no space after a colon": ("a: {EC:2, PC:1}\n", r"line 1: 'EC:2' is one word .* space after the colon: EC: 2"),
    "a ratio": ("seed: 1\na: 1:4\n", r"line 2: YAML reads 1:4 as the number 64; write a ratio as a mapping"),
    "an octal number": ("seed: 017\n", r"line 1: YAML reads 017 as the number 15; write 17"),
    "a tab": ("systems:\n  a:\n\t\tspecies: {EC: 1}\n", r"line 3: not valid YAML: this line is indented with a tab"),
    "a tab after spaces": ("a:\n  b: 1\n  \tc: 2\n", r"line 3: .*tab"),
    "uneven indentation": ("a:\n  b: 1\n   c: 2\n", r"line 3: not valid YAML: .*indented differently"),
    "an open bracket": ("a: [1, 2\nb: 3\n", r"line 2: not valid YAML"),
    "a list of settings": ("- seed: 1\n", r"expected settings such as 'systems:' at the top, got a list"),
    "two documents": ("a: 1\n---\nb: 1\n", r"line 2: .*single document"),
    "an unknown anchor": ("a: *b\n", r"line 1: .*undefined alias"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_misread_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    text, message = REFUSED[name]
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_project(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_merge_keys_anchors_and_quoted_names_work(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "a: &x {k: 1, l: 2}\nb: &y {m: 3}\nc: {<<: *x, k: 4}\nd:\n  <<: [*x, *y]\n  l: 5\n"
        "e: *x\n'NO': 1e-3\nf: {smiles: '[Na+]', 'on': true, n: 0, x: 0.5}\n"
    )
    assert read_config(path) == {
        "a": {"k": 1, "l": 2},
        "b": {"m": 3},
        "c": {"k": 4, "l": 2},
        "d": {"k": 1, "l": 5, "m": 3},
        "e": {"k": 1, "l": 2},
        "NO": "1e-3",
        "f": {"smiles": "[Na+]", "on": True, "n": 0, "x": 0.5},
    }


def test_json_empty_files_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{\n\t"seed": 5\n}')  # a tab is white space in JSON, and an error in YAML
    assert read_config(path) == {"seed": 5}
    path.write_text("# nothing yet\n")
    assert read_config(path) == {}
    path.write_text("seed: 6\n", encoding="utf-8-sig")
    assert read_config(path) == {"seed": 6}


def test_files_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"seed: \xff\xfe")
    with pytest.raises(InputError, match=r"c\.yaml is not a text file in UTF-8"):
        read_config(tmp_path / "c.yaml")
    with pytest.raises(InputError, match="is a folder"):
        read_config(tmp_path)
