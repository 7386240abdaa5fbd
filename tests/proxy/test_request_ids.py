from sluicegate.proxy.request_ids import request_ids


def test_ids_are_unique_within_a_process_and_between_two():
    first, second = request_ids(), request_ids()
    made = {first() for _ in range(1000)} | {second() for _ in range(1000)}

    assert len(made) == 2000
