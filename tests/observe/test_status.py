import json

from sluicegate.observe.state import LimitState, State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import Totals


def test_the_document_is_plain_json_with_everything_the_pages_show():
    state = State([LimitState("up.test", "*.test", "5/second", 8, 3, 2)], 7, 4096, 4, 1)
    document = status_document(
        listen="127.0.0.1:3128",
        uptime_s=12.34567,
        config=ConfigInfo("a.yaml", "abc", 1.0),
        totals=Totals(requests=5, hits=2),
        state=state,
    )

    assert json.loads(json.dumps(document)) == document
    assert document["uptime_s"] == 12.346
    assert document["limits"] == [
        {"key": "up.test", "limit": "*.test", "rates": "5/second", "concurrency": 8, "queue": 3, "in_flight": 2}
    ]
    assert document["cache"] == {"entries": 7, "bytes": 4096}
    assert document["upstream"] == {"open": 4, "idle": 1}
    assert document["totals"]["hits"] == 2
    assert document["ready"] is True
