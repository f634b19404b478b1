"""What is written is what was meant: the text, read again, is the structure, whatever strings it holds."""

import yaml
from cfnlint.decode.cfn_yaml import loads
from hypothesis import given
from hypothesis import strategies as st

from breakeven.deploy.text import bare, said, to_yaml

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)
SCALARS = WORDS | st.integers(-1_000_000, 1_000_000) | st.booleans() | st.none()
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS.filter(bool), inner, max_size=4),
    max_leaves=20,
)


def noted(node, why):
    if isinstance(node, dict):
        return {key: said(noted(value, why), why) for key, value in node.items()}
    return [said(noted(value, why), why) for value in node] if isinstance(node, list) else node


@given(st.dictionaries(WORDS.filter(bool), TREES, min_size=1, max_size=5), WORDS)
def test_a_structure_with_comments_reads_back_as_the_structure(tree, why):
    assert yaml.safe_load(to_yaml(tree)) == tree
    assert yaml.safe_load(to_yaml(noted(tree, why))) == tree
    assert bare(noted(tree, why)) == tree


def test_functions_are_written_in_short_and_read_as_meant():
    node = {"a": {"Ref": "X"}, "b": {"Fn::Sub": "x${Y}"}, "c": [{"Fn::GetAtt": ["Z", "Arn"]}], "d": {"Fn::Sub": "1\n2"}}
    text = to_yaml(node)
    assert "a: !Ref X" in text
    assert "- !GetAtt Z.Arn" in text
    assert loads(text) == node


def test_a_comment_stands_above_what_it_is_about_and_keeps_to_the_width():
    lines = to_yaml({"a": [said({"b": 1}, "word " * 60)]}).splitlines()
    assert lines[0] == "a:"
    assert all(line.startswith("  # word") and len(line) <= 110 for line in lines[1:-1])
    assert lines[-1] == "  - b: 1"


def test_no_comment_is_lost_wherever_it_stands():
    words = [f"reason {n}" for n in range(6)]
    node = {
        "a": said([said({"b": said(1, words[0]), "c": said([said(2, words[1])], words[2])}, words[3])], words[4]),
        "d": said({"Ref": "X"}, words[5]),
    }
    text = to_yaml(node)
    assert all(f"# {word}" in text for word in words)
