import inspect

import pytest

from sluicegate import errors
from sluicegate.errors import ConfigError, ExchangeError, LimitError, Problem, ProxyAuthRequired, QueueFull

RFC9209_TYPES = {
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
    "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
    "connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_header_section_size", "http_response_timeout", "http_protocol_error",
    "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected",
}  # fmt: skip
CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ExchangeError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_rfc9209_each_answer_has_a_registered_error_type_and_an_error_status(kind):
    assert kind.proxy_error in RFC9209_TYPES
    assert 400 <= kind.status < 600


def test_the_tree_at_the_top_of_the_file_names_every_class():
    tree = inspect.getdoc(errors)
    named = [
        kind.__name__ for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
    ]

    assert [name for name in named if name not in tree and name != "Problem"] == []


def test_a_problem_says_where_what_and_what_is_allowed():
    problem = Problem("limits.default.rates", "no rate", "a.yaml", 7, "10/fortnight", "10/second")

    assert str(problem) == "a.yaml:7: limits.default.rates: no rate (found 10/fortnight); allowed: 10/second"


def test_a_configuration_error_tells_all_problems():
    assert str(ConfigError([Problem("a", "bad"), Problem("b", "worse")])) == "a: bad\nb: worse"


@pytest.mark.parametrize(("wait_s", "header"), [(0.0, b"1"), (0.2, b"1"), (1.0, b"1"), (1.01, b"2"), (59.5, b"60")])
def test_retry_after_never_promises_too_early(wait_s, header):
    error = QueueFull("full", limit="default", retry_after_s=wait_s)

    assert error.fields() == [(b"Retry-After", header)]
    assert isinstance(error, LimitError)


def test_rfc9110_11_7_1_a_407_says_how_to_authenticate():
    assert ProxyAuthRequired("who?").fields()[0][1].startswith(b"Basic realm=")
