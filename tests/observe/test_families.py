from sluicegate.observe.families import Counter, Histogram


def samples(family):
    (metric,) = family.collect()
    return {(sample.name, *sample.labels.values()): sample.value for sample in metric.samples}


def test_a_counter_counts_by_its_labels():
    counter = Counter("hits", "Hits.", "host")
    counter.add("a")
    counter.add("a", amount=2)
    counter.add("b")

    assert samples(counter) == {("hits_total", "a"): 3, ("hits_total", "b"): 1}


def test_a_counter_without_labels_is_there_from_the_start():
    assert samples(Counter("hits", "Hits.")) == {("hits_total",): 0}


def test_a_histogram_counts_each_value_in_its_bucket_and_in_all_larger_ones():
    histogram = Histogram("wait", "Waits.", "host", buckets=(0.1, 1.0))
    histogram.add([2, 1, 1], 7.65, "a")
    histogram.add([0, 0, 3], 30.0, "b")

    got = samples(histogram)
    assert [got["wait_bucket", "a", bound] for bound in ("0.1", "1.0", "+Inf")] == [2, 3, 4]
    assert [got["wait_bucket", "b", bound] for bound in ("0.1", "1.0", "+Inf")] == [0, 0, 3]
    assert (got["wait_count", "a"], got["wait_sum", "a"]) == (4, 7.65)


def test_a_histogram_sums_up_what_comes_under_the_same_labels():
    histogram = Histogram("wait", "Waits.", buckets=(0.1, 1.0))
    histogram.add([1, 0, 0], 0.05)
    histogram.add([0, 2, 1], 3.5)

    got = samples(histogram)
    assert [got["wait_bucket", bound] for bound in ("0.1", "1.0", "+Inf")] == [1, 3, 4]
    assert got["wait_sum",] == 3.55
