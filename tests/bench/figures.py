"""What the samples of a benchmark come to: medians, ratios, the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

NOISY = 0.2
"""A figure whose rounds lie further apart than this, as a part of their median, is marked."""
ABSENT = "not available"

type Series = Mapping[int, float]
"""Round -> value. A round that failed is absent."""


@dataclass(frozen=True)
class Metric:
    """One line of the table. `key` is the row's name, a dot, and what of it is measured."""

    key: str
    title: str
    less_is_better: bool = False

    @property
    def row(self) -> str:
        """The row it belongs to."""
        return self.key.partition(".")[0]


@dataclass(frozen=True)
class Comparison:
    """A column of ratios: one subject's figures to another's."""

    subject: str
    reference: str
    title: str


@dataclass
class Results:
    """Every sample of a run, and what went wrong in it."""

    samples: dict[Metric, dict[str, dict[int, float]]] = field(default_factory=dict)
    absent: dict[Metric, set[str]] = field(default_factory=dict)
    """Who should have been measured and does not exist here."""
    errors: list[str] = field(default_factory=list)

    def record(self, metric: Metric, subject: str, round_number: int, value: float) -> None:
        """Keep one sample."""
        self.samples.setdefault(metric, {}).setdefault(subject, {})[round_number] = value

    def record_absent(self, row: str, subject: str) -> None:
        """Say in every line of a row that this subject is not available."""
        for metric in self.samples:
            if metric.row == row:
                self.absent.setdefault(metric, set()).add(subject)

    def record_added(self, metric: Metric, over: Metric, baseline: str) -> None:
        """Make `metric` what each subject has of `over` beyond the baseline's, round by round."""
        of_subject = self.samples.get(over, {})
        for subject, series in of_subject.items():
            if subject == baseline:
                continue
            for number, value in series.items():
                if number in of_subject.get(baseline, {}):
                    self.record(metric, subject, number, value - of_subject[baseline][number])


def middle(series: Series) -> float | None:
    """The median over the rounds."""
    return median(series.values()) if series else None


def ratio(series: Series, reference: Series) -> float | None:
    """The median of the rounds' own ratios: what slows a whole round down cancels out.

    Rounds that one of the two lacks, or where the reference is not above zero, do not count.
    """
    ratios = [series[number] / value for number, value in reference.items() if number in series and value > 0]
    return median(ratios) if ratios else None


def is_noisy(series: Series) -> bool:
    """Whether the rounds disagree by more than `NOISY`."""
    values = series.values()
    return len(values) > 1 and max(values) - min(values) > NOISY * abs(median(values))


def as_json(results: Results, comparisons: Sequence[Comparison]) -> list[dict[str, object]]:
    """Every metric with its medians, ratios and samples; null for a round that failed."""
    return [
        {
            "metric": metric.key,
            "title": metric.title,
            "less_is_better": metric.less_is_better,
            "ratios": {
                f"{each.subject} / {each.reference}": compared
                for each in comparisons
                if (compared := ratio(of_subject.get(each.subject, {}), of_subject.get(each.reference, {}))) is not None
            },
            "subjects": {
                subject: {"median": middle(series), "rounds": [series.get(number) for number in _rounds(of_subject)]}
                for subject, series in of_subject.items()
            },
            "not_available": sorted(results.absent.get(metric, ())),
        }
        for metric, of_subject in results.samples.items()
    ]


def table(results: Results, subjects: Sequence[str], comparisons: Sequence[Comparison]) -> str:
    """Ratios, then the figures they were made from; columns that nobody has anything in are left out."""
    head = ["", *(each.title for each in comparisons), *subjects]
    body = [_line(results, metric, subjects, comparisons) for metric in results.samples]
    used = [column for column in range(len(head)) if not column or any(line[column] != "-" for line in body)]
    lines = _aligned([[line[column] for column in used] for line in (head, *body)])
    legend = (
        f"÷: ratio within each round, then their median; ↓ less is better; ~ rounds differ by more than {NOISY:.0%}"
    )
    return "\n".join([*_with_gaps(lines, [metric.row for metric in results.samples]), "", legend])


def figure(value: float | None) -> str:
    """A figure with three digits that mean something, or all of a larger one's."""
    if value is None:
        return "-"
    size = abs(value)
    decimals = 0 if size >= 100 or value == 0 else 1 if size >= 10 else 2
    return f"{value:,.{decimals}f}"


def _rounds(of_subject: Mapping[str, Series]) -> list[int]:
    return sorted({number for series in of_subject.values() for number in series})


def _line(results: Results, metric: Metric, subjects: Sequence[str], comparisons: Sequence[Comparison]) -> list[str]:
    of_subject = results.samples[metric]
    absent = results.absent.get(metric, set())
    ratios = [ratio(of_subject.get(each.subject, {}), of_subject.get(each.reference, {})) for each in comparisons]
    return [
        f"{metric.title}{' ↓' if metric.less_is_better else ''}",
        *("-" if compared is None else f"{compared:.2f}" for compared in ratios),
        *(ABSENT if subject in absent else _cell(of_subject.get(subject, {})) for subject in subjects),
    ]


def _cell(series: Series) -> str:
    return figure(middle(series)) + "~" * is_noisy(series)


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _with_gaps(lines: Sequence[str], rows: Sequence[str]) -> list[str]:
    """A blank line between two kinds of rows (`hits-1`, `hits-32` | `misses-1`)."""
    kinds = [row.rpartition("-")[0] or row for row in rows]
    spaced = [lines[0]]
    for line, kind, before in zip(lines[1:], kinds, [None, *kinds], strict=False):
        spaced += [""] if kind != before else []
        spaced.append(line)
    return spaced
