from sluicegate.observe.labels import HostLabels


def test_configured_hosts_and_patterns_are_known_by_name():
    label = HostLabels(["api.example.com", "*.example.org"], cap=0)

    assert label("api.example.com") == "api.example.com"
    assert label("API.example.com.") == "api.example.com"
    assert label("a.b.example.org") == "*.example.org"
    assert label("example.org") == "other"


def test_the_first_of_the_rest_keep_their_names_and_all_later_ones_are_other():
    label = HostLabels(cap=2)

    assert [label(host) for host in ("a", "b", "c", "a", "d", "b")] == ["a", "b", "other", "a", "other", "b"]


def test_however_many_hosts_come_what_is_kept_is_bounded():
    label = HostLabels(["*.example.org"], cap=10)

    labels = {label(f"{number}.example.org") for number in range(5000)} | {label(f"h{n}") for n in range(5000)}

    assert len(labels) == 12
    assert len(label.known) <= 1000


def test_a_host_met_lately_is_known_whatever_came_before_it():
    label = HostLabels(["*.example.org"], cap=0)
    for number in range(2500):
        label(f"{number}.example.org")

    assert label.known["2499.example.org"] == "*.example.org"


def test_a_name_too_long_to_be_a_hosts_is_not_kept():
    label = HostLabels()

    assert label("h" * 300) == label("h" * 300)
    assert not label.known


def test_a_new_configuration_renames_and_the_rest_keeps_its_labels():
    label = HostLabels(cap=1)
    assert (label("a"), label("b")) == ("a", "other")

    label.configure(["b"])

    assert (label("a"), label("b"), label("c")) == ("a", "b", "other")
