from sluicegate.warming.lists import Wanted, Wanting


def test_a_list_has_one_url_a_line_with_comments_and_empty_lines():
    wanting = Wanting()
    wanting.add_list(
        b"\xef\xbb\xbf# all\nhttp://a.example/1\r\n\n  http://a.example/2#top  # why\n#http://a.example/3\n", "urls.txt"
    )

    assert wanting.urls == [Wanted("http://a.example/1", "urls.txt:2"), Wanted("http://a.example/2", "urls.txt:4")]
    assert wanting.problems == []


def test_each_url_is_taken_once_however_it_is_written():
    wanting = Wanting()
    wanting.add("http://a.example", "x")
    wanting.add("HTTP://A.example:80/#top", "y")

    assert wanting.urls == [Wanted("http://a.example/", "x")]


def test_a_bad_line_is_told_with_its_place_and_the_others_are_taken():
    wanting = Wanting()
    wanting.add_list(b"http://a.example/\nnonsense\n\x1b[31m\xff\nhttp://b.example/\n", "urls.txt")

    assert [one.url for one in wanting.urls] == ["http://a.example/", "http://b.example/"]
    assert [problem.split(":")[1] for problem in wanting.problems] == ["2", "3"]
    assert "'nonsense'" in wanting.problems[0]
    assert "\x1b" not in wanting.problems[1]
