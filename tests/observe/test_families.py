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


def test_a_histogram_sorts_each_value_into_its_bucket_and_all_larger_ones():
    histogram = Histogram("wait", "Waits.", buckets=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)

    got = samples(histogram)
    assert [got["wait_bucket", bound] for bound in ("0.1", "1.0", "+Inf")] == [2, 3, 4]
    assert got["wait_count",] == 4
    assert got["wait_sum",] == 7.65
