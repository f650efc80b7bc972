"""What a load came to, as the cells of a report's row."""

from tests.support.footprint import Trend
from tests.support.load import Load


def figures(done: Load, trend: Trend, seconds: float) -> dict[str, object]:
    """Return the figures of a load of so many seconds, and of the process that stood it."""
    statuses = done.by_status()
    before, after = trend.quarters[0], trend.quarters[3]
    return {
        "requests": done.counts.total(),
        "each_second": round(done.counts.total() / seconds),
        **{f"{status}": statuses[status] for status in (200, 403, 401)},
        "kinds": len(done.counts),
        "wrong": len(done.wrong),
        "p50_ms": round(done.percentile(50), 1),
        "p99_ms": round(done.percentile(99), 1),
        "MB": f"{before.resident_mb:.1f} to {after.resident_mb:.1f}",
        "files": f"{before.descriptors} to {after.descriptors}",
        "threads": f"{before.threads} to {after.threads}",
    }
