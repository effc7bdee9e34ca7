"""What stands behind a technique's colon: parsed, refused with a sentence, and written back in one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.errors import RequestError, UnknownNameError
from bench.techniques.base import TECHNIQUES
from bench.techniques.dorefa import DoReFa
from bench.techniques.low_bit import LowBit
from bench.techniques.pact import Pact
from bench.techniques.range_linear import RangeLinear

FAMILIES = sorted(technique.family for technique in TECHNIQUES if isinstance(technique, LowBit))
CANONICAL = [
    ("dorefa", "dorefa:w32a32"),
    ("dorefa:", "dorefa:w32a32"),
    ("dorefa:w2a2", "dorefa:w2a2"),
    ("dorefa:w2", "dorefa:w2a32"),
    ("dorefa:a2", "dorefa:w32a2"),
    ("dorefa:a2,w1", "dorefa:w1a2"),
    ("dorefa: w2a2 , max-tanh ,", "dorefa:w2a2,max-tanh"),
    ("dorefa:max-tanh,w2a2", "dorefa:w2a2,max-tanh"),
    ("dorefa:w2a2,unit,inner,float32,round,relu", "dorefa:w2a2"),
    ("dorefa:positive,w1a1,float16,all", "dorefa:w1a1,all,float16,positive"),
    ("pact:alpha=10,w4a4", "pact:w4a4"),
    ("pact:alpha=0.5,w4a4", "pact:w4a4,alpha=0.5"),
    ("wrpn:wide=2,w2a2", "wrpn:w2a2,wide=2"),
    ("bwn", "bwn:w1a32"),
    ("bwn:w1,projections", "bwn:w1a32,projections"),
    ("xnor:no-k", "xnor:w1a1,no-k"),
    ("binaryconnect:glorot,stochastic", "binaryconnect:w1a32,stochastic,glorot"),
    ("range-linear", "range-linear:w8a32"),
    ("range-linear:per-channel,asym-unsigned,w4a8", "range-linear:w4a8,asym-unsigned,per-channel"),
    ("range-linear:w4a8,deviations=3,std", "range-linear:w4a8,std,deviations=3"),
]


def test_widths_words_and_numbers_become_fields() -> None:
    assert TECHNIQUES.get("dorefa:w2a4,max-tanh") == DoReFa(weight_bits=2, activation_bits=4, scaling="max-tanh")
    assert TECHNIQUES.get("pact:w3a3,alpha=6") == Pact(weight_bits=3, activation_bits=3, alpha=6.0)
    asymmetric = RangeLinear(weight_bits=4, activation_bits=8, mode="asym-signed", clipping="std", deviations=2.5)
    assert TECHNIQUES.get("range-linear:w4a8,asym-signed,std,deviations=2.5") == asymmetric


@pytest.mark.parametrize(("typed", "name"), CANONICAL)
def test_the_name_is_the_same_however_options_were_typed(typed: str, name: str) -> None:
    assert TECHNIQUES.get(typed).name == name


@pytest.mark.parametrize("typed", [*FAMILIES, *(typed for typed, _ in CANONICAL)])
def test_a_name_stands_for_the_technique_that_has_it(typed: str) -> None:
    technique = TECHNIQUES.get(typed)
    assert TECHNIQUES.get(technique.name) == technique
    assert TECHNIQUES.get(technique.name).name == technique.name


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_a_name_keeps_every_digit_of_a_number(alpha: float) -> None:
    technique = TECHNIQUES.get(f"pact:w2a2,alpha={alpha!r}")
    assert TECHNIQUES.get(technique.name) == technique == Pact(weight_bits=2, activation_bits=2, alpha=alpha)


def test_every_family_is_listed_under_its_own_name() -> None:
    assert FAMILIES == ["binaryconnect", "bwn", "dorefa", "pact", "range-linear", "wrpn", "xnor"]
    assert [TECHNIQUES.get(family).name.partition(":")[0] for family in FAMILIES] == FAMILIES


@pytest.mark.parametrize(
    ("family", "grammar"),
    [
        ("bwn", "w{1}a{32}, inner|all|projections, float32|float16, plain|centred"),
        ("wrpn", "w{1|2|3|4|5|8|16|32}a{1|2|3|4|5|8|16|32}, inner|all|projections, float32|float16, wide=1"),
        ("fp32", ""),
    ],
)
def test_the_grammar_of_options_is_one_line(family: str, grammar: str) -> None:
    assert TECHNIQUES.get(family).grammar == grammar


def refusal(typed: str) -> str:
    with pytest.raises(RequestError) as caught:
        TECHNIQUES.get(typed)
    message = str(caught.value)
    assert message.endswith(".")
    assert ". " not in message, "one sentence"
    assert "\n" not in message
    return message


@pytest.mark.parametrize("token", ["maxtanh", "w", "wa2", "a2w2", "w-1", "2", "alpha=3", "w2=2", "layers=all", "W2"])
def test_an_unknown_option_is_answered_with_the_known_ones(token: str) -> None:
    assert refusal(f"dorefa:{token}") == (
        f"dorefa has no option {token!r}; it takes w{{1|2|3|4|5|8|16|32}}a{{1|2|3|4|5|8|16|32}}, "
        "inner|all|projections, float32|float16, unit|max-tanh, ends=32|8|4|2, round|positive, relu|clip, "
        "clip=unit|learned (see 'bench list' and docs/techniques.md)."
    )


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("dorefa:w6", "dorefa has no w6; its widths are 1, 2, 3, 4, 5, 8, 16, 32."),
        ("dorefa:w2a7", "dorefa has no a7; its widths are 1, 2, 3, 4, 5, 8, 16, 32."),
        ("dorefa:w0", "dorefa has no w0; its widths are 1, 2, 3, 4, 5, 8, 16, 32."),
        ("bwn:w2", "bwn has no w2; its widths are 1."),
        ("binaryconnect:a8", "binaryconnect has no a8; its widths are 32."),
        ("xnor:w1a32", "xnor has no a32; its widths are 1."),
        (
            "range-linear:w1",
            "range-linear has no w1; its widths are 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32.",
        ),
    ],
)
def test_an_unknown_width_is_answered_with_the_known_ones(typed: str, message: str) -> None:
    assert refusal(typed) == message


@pytest.mark.parametrize("text", ["0", "-1", "much", "", "nan", "inf", "1e-4"])
def test_a_number_out_of_bounds_is_refused_with_its_bounds(text: str) -> None:
    assert refusal(f"pact:alpha={text}") == f"pact's alpha={text} is not a number of 0.001 or more."


@pytest.mark.parametrize("text", ["0", "9", "1.5", "two"])
def test_an_integer_is_no_fraction(text: str) -> None:
    assert refusal(f"wrpn:wide={text}") == f"wrpn's wide={text} is not a number of 1 to 8."


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("dorefa:w2,w4", "'w4' sets weight-bits a second time; give it once."),
        ("dorefa:a2,w2a2", "'w2a2' sets activation-bits a second time; give it once."),
        ("dorefa:all,inner", "'inner' sets layers a second time; give it once."),
        ("dorefa:max-tanh,max-tanh", "'max-tanh' sets scaling a second time; give it once."),
        ("pact:alpha=1,alpha=2", "'alpha=2' sets alpha a second time; give it once."),
    ],
)
def test_an_option_is_given_once(typed: str, message: str) -> None:
    assert refusal(typed) == message


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("dorefa:w1a1,max-tanh", "dorefa's max-tanh does nothing to weights of 1 bit; leave it out."),
        ("dorefa:a2,max-tanh", "dorefa's max-tanh does nothing to weights of 32 bits; leave it out."),
        ("dorefa:w4a4,positive", "dorefa's positive does nothing to activations of 4 bits; leave it out."),
        ("dorefa:w4a4,clip", "dorefa's clip does nothing to activations of 4 bits; leave it out."),
        ("pact:w1a1,max-tanh", "pact's max-tanh does nothing to weights of 1 bit; leave it out."),
        ("pact:w2,alpha=6", "pact's alpha=6 does nothing to activations of 32 bits; leave it out."),
        ("range-linear:w4,std", "range-linear's std does nothing to activations of 32 bits; leave it out."),
        (
            "range-linear:w32a8,per-channel",
            "range-linear's per-channel does nothing to weights of 32 bits; leave it out.",
        ),
    ],
)
def test_an_option_that_its_widths_make_meaningless_is_refused(typed: str, message: str) -> None:
    assert refusal(typed) == message


@pytest.mark.parametrize("token", ["clip=lerned", "clip=", "ends=6", "ends"])
def test_a_named_word_is_one_of_those_that_are_listed(token: str) -> None:
    assert refusal(f"dorefa:w2a2,{token}").startswith(f"dorefa has no option {token!r}; it takes ")


def test_named_words_are_written_with_their_name() -> None:
    assert TECHNIQUES.get("dorefa:clip=learned,w2a2,ends=8").name == "dorefa:w2a2,ends=8,clip=learned"
    assert TECHNIQUES.get("dorefa:w2a2,clip=unit,ends=32").name == "dorefa:w2a2"
    assert refusal("dorefa:w2a2,ends=8,ends=4") == "'ends=4' sets ends a second time; give it once."


@pytest.mark.parametrize("option", ["positive", "clip"])
def test_pact_has_no_options_of_dorefas_activations(option: str) -> None:
    assert refusal(f"pact:w1a1,{option}").startswith(f"pact has no option {option!r}; it takes ")


@pytest.mark.parametrize("clipping", ["gauss", "laplace"])
def test_aciq_clips_up_to_8_bits(clipping: str) -> None:
    assert refusal(f"range-linear:w8a16,{clipping}") == (
        f"range-linear's {clipping} clipping is for activations of up to 8 bits, not 16; choose none, avg or std."
    )
    assert TECHNIQUES.get(f"range-linear:w8a8,{clipping}").name == f"range-linear:w8a8,{clipping}"


def test_a_technique_without_options_says_so() -> None:
    assert refusal("fp32:w2") == (
        "the technique fp32 takes no options, not 'w2'; leave out the colon and what follows."
    )


def test_an_unknown_family_is_answered_with_its_neighbour() -> None:
    with pytest.raises(UnknownNameError, match=r"^there is no technique 'dorefaa'; did you mean 'dorefa'\?$"):
        TECHNIQUES.get("dorefaa:w2a2")


def test_a_width_of_thousands_of_digits_is_no_option() -> None:
    assert "has no option" in refusal("dorefa:w" + "9" * 5_000)
