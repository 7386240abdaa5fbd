import pytest

from bench.load import parse_report
from bench.processes import BenchError

OUTPUT = """Running 1s test @ http://127.0.0.1:3128
  1 threads and 32 connections
Requests/sec:   2000.00
REPORT {"requests":3000,"duration_us":1500000,"p50_us":410,"p99_us":1900,"connect_errors":0,"read_errors":2,\
"write_errors":0,"timeouts":0,"bad_statuses":7}
"""


def test_the_report_of_wrk_is_found_in_its_output():
    report = parse_report(OUTPUT)

    assert (report.per_second, report.p50_us, report.p99_us) == (2000.0, 410, 1900)


def test_the_report_names_the_errors_that_happened_and_no_others():
    assert parse_report(OUTPUT).errors == ("read errors: 2", "bad statuses: 7")


def test_output_without_a_report_is_an_error_that_shows_it():
    with pytest.raises(BenchError, match="unable to connect"):
        parse_report("unable to connect to 127.0.0.1:1 Connection refused\n")
