"""Every log event and every metric is in docs/logs-and-metrics.md, and nothing else is."""

import ast
import re
from pathlib import Path

from sluicegate.core.events import Stage
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.state import State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import Totals

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/logs-and-metrics.md").read_text("utf-8")

WITH_A_CLASS_OF_THEIR_OWN = {"access", "permit", "reject", "abandon", "cache", "response", "failure"}
WRITTEN_BY_THE_LOG_ITSELF = {"log_lines_dropped", "internal"}


def rows(heading: str) -> list[str]:
    """The first cells of the table rows under a heading, without backticks."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)


def notice_names() -> set[str]:
    """Each name that some `Notice(…)` in the source can carry."""
    names = set()
    for file in (ROOT / "src").rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in calls_of("Notice", function):
                    names |= constants(call.args[1], function, tree)
    return names


def calls_of(name: str, tree: ast.AST) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
    ]


def constants(value: ast.expr, function: ast.FunctionDef | ast.AsyncFunctionDef, tree: ast.AST) -> set[str]:
    """What an expression can be: a constant, one of two, or what the enclosing function is given as first argument."""
    match value:
        case ast.Constant(value=str(name)):
            return {name}
        case ast.IfExp(body=body, orelse=orelse):
            return constants(body, function, tree) | constants(orelse, function, tree)
        case ast.Name(id=name) if name in [argument.arg for argument in function.args.args[:2]]:
            given = [constants(call.args[0], function, tree) for call in calls_of(function.name, tree)]
            return set().union(*given)
        case ast.Attribute(attr="event"):
            return set()  # an event passed on
    raise AssertionError(f"line {value.lineno}: write the name of the event out where the Notice is made")


def test_every_log_event_is_documented_and_no_other():
    documented = rows("Log events")

    assert len(documented) == len(set(documented))
    assert set(documented) == notice_names() | WITH_A_CLASS_OF_THEIR_OWN | WRITTEN_BY_THE_LOG_ITSELF


def test_every_stage_is_documented():
    assert rows("Stages") == [stage.value for stage in Stage]


def test_every_metric_is_documented_and_no_other():
    exposed = {
        f"{family.name}_{'total' if family.type == 'counter' else 'info'}"
        if family.type in {"counter", "info"}
        else family.name
        for family in Metrics().registry.collect()
    }

    assert set(rows("Metrics")) == exposed


def test_every_member_of_the_status_document_is_documented():
    document = status_document(listen="", uptime_s=0, config=ConfigInfo(None, "", 0), totals=Totals(), state=State())

    members = set(document) - {"totals"} | {f"totals.{name}" for name in Totals().as_dict()}
    assert set(rows("The status document")) == members
