from conformance import answers, scoring

TESTS = [
    scoring.SuiteTest("a", "s", "required"),
    scoring.SuiteTest("b", "s", "required", ("a",)),
    scoring.SuiteTest("c", "s", "optimal", ("b",)),
    scoring.SuiteTest("d", "s", "check"),
]


def test_what_succeeded_has_passed():
    counted = scoring.figures(TESTS, dict.fromkeys("abcd", True))

    assert {kind: str(figure) for kind, figure in counted.items()} == {
        "required": "2/2",
        "optimal": "1/1",
        "check": "1/1",
    }


def test_what_depends_on_a_failure_has_not_passed_however_far_away():
    counted = scoring.figures(TESTS, {"a": ["Assertion", "no"], "b": True, "c": True, "d": True})

    assert counted["required"].failed == ("a", "b")
    assert counted["optimal"].failed == ("c",)


def test_a_test_without_a_result_has_not_passed():
    assert str(scoring.figures(TESTS, {})["required"]) == "0/2"


def test_what_is_left_out_is_not_asked_and_still_needed():
    counted = scoring.figures(TESTS, {"a": False, "b": True}, leave_out=frozenset("a"))

    assert counted["required"] == scoring.Figure(0, 1, ("b",))


def test_the_list_of_superseded_tests_is_read_without_its_comments():
    superseded = answers.superseded()

    assert len(superseded) == 74
    assert superseded["stale-sie-503"] == "faulty"
