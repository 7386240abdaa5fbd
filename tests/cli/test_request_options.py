import click
import pytest

from sluicegate.cli.request_options import parse_fields, parse_method


def test_fields_are_taken_as_curl_takes_them():
    assert parse_fields(["Accept: a, b", "X-Empty:", "x-b:ü"]) == [
        (b"Accept", b"a, b"),
        (b"X-Empty", b""),
        (b"x-b", b"\xfc"),
    ]


@pytest.mark.parametrize("text", ["", "NoColon", ": x", "A B: x", "A: x\r\nB: y", "A: ☃"])
def test_what_is_no_field_is_refused(text):
    with pytest.raises(click.BadParameter, match="Name: value"):
        parse_fields([text])


@pytest.mark.parametrize("name", ["Connection", "Transfer-Encoding", "content-length", "TE"])
def test_a_field_of_one_connection_cannot_be_given(name):
    with pytest.raises(click.BadParameter, match="one connection only"):
        parse_fields([f"{name}: x"])


def test_a_method_is_a_token_and_not_connect():
    context, parameter = click.Context(click.Command("x")), click.Option(["-X"])

    assert parse_method(context, parameter, "post") == "POST"
    for text in ("CONNECT", "A B", ""):
        with pytest.raises(click.BadParameter):
            parse_method(context, parameter, text)
