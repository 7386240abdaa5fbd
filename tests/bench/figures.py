"""What the samples of a benchmark come to: medians, ratios, the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

NOISY = 0.2
"""A figure whose rounds lie further apart than this, as a part of their median, is marked."""

type Series = Mapping[int, float]
"""Round -> value. A round that failed is absent."""


@dataclass(frozen=True)
class Metric:
    """One line of the table."""

    key: str
    title: str
    less_is_better: bool = False


@dataclass
class Results:
    """Every sample of a run, and what went wrong in it."""

    samples: dict[Metric, dict[str, dict[int, float]]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def record(self, metric: Metric, subject: str, round_number: int, value: float) -> None:
        """Keep one sample."""
        self.samples.setdefault(metric, {}).setdefault(subject, {})[round_number] = value

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


def as_json(results: Results, reference: str) -> list[dict[str, object]]:
    """Every metric with its medians, ratios to the reference and samples."""
    return [
        {
            "metric": metric.key,
            "title": metric.title,
            "less_is_better": metric.less_is_better,
            "subjects": {
                subject: {
                    "median": middle(series),
                    "ratio": ratio(series, of_subject.get(reference, {})),
                    "rounds": [series.get(number) for number in _rounds(of_subject)],
                }
                for subject, series in of_subject.items()
            },
        }
        for metric, of_subject in results.samples.items()
    ]


def table(results: Results, subjects: Sequence[str], reference: str) -> str:
    """Figures of every subject, each beside its ratio to the reference, and what the marks mean."""
    head = ["", *(word for subject in subjects for word in (subject, f"/{reference}"))]
    body = [_line(metric, of_subject, subjects, reference) for metric, of_subject in results.samples.items()]
    legend = f"/{reference}: ratio to it, within each round; ↓ less is better; ~ rounds differ by more than {NOISY:.0%}"
    return f"{_aligned([head, *body])}\n\n{legend}"


def _rounds(of_subject: Mapping[str, Series]) -> list[int]:
    return sorted({number for series in of_subject.values() for number in series})


def _line(metric: Metric, of_subject: Mapping[str, Series], subjects: Sequence[str], reference: str) -> list[str]:
    words = [f"{metric.title}{' ↓' if metric.less_is_better else ''}"]
    for subject in subjects:
        series = of_subject.get(subject, {})
        compared = ratio(series, of_subject.get(reference, {}))
        words += [
            figure(middle(series)) + ("~" if is_noisy(series) else " "),
            "-" if compared is None else f"{compared:.2f}",
        ]
    return words


def figure(value: float | None) -> str:
    """A figure with three digits that mean something, or all of a larger one's."""
    if value is None:
        return "-"
    size = abs(value)
    decimals = 0 if size >= 100 or value == 0 else 1 if size >= 10 else 2
    return f"{value:,.{decimals}f}"


def _aligned(rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
