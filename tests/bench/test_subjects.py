from bench.subjects import parse_stub_status

PAGE = """Active connections: 3
server accepts handled requests
 31 31 4217
Reading: 0 Writing: 1 Waiting: 2
"""


def test_the_requests_of_the_origin_are_read_from_its_status_page():
    assert parse_stub_status(PAGE) == 4217
