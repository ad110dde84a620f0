"""Fail if the newest run of the demo project scores less than it should.

python tests/tools/check_demo.py PROJECT LEAST_ACCURACY
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

METRIC = "test/accuracy"


def main(project: Path, least: float) -> int:
    """The exit code: 0 when the accuracy is there and at least `least`."""
    files = sorted(project.glob("runs/**/metrics.json"), key=lambda file: file.stat().st_mtime_ns)
    scores = [json.loads(file.read_text(encoding="utf-8")).get(METRIC) for file in files]
    found = [score for score in scores if score is not None]
    if not found:
        print(f"demo: no {METRIC} in any of {len(files)} metrics.json under {project}/runs")
        return 1
    print(f"demo: {METRIC} {found[-1]:.3f}, at least {least} expected")
    return 0 if found[-1] >= least else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
