"""The measurements in benchmarks/results: tables from the JSON files, and the pictures beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from generator.pages import ROOT, Pages, table, title

RESULTS = ROOT / "benchmarks" / "results"
PICTURES = (".png", ".svg")


def reports() -> dict[Path, dict[str, Any]]:
    """The reports of `python -m benchmarks ... --json`, by their file."""
    read = {path: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    return {path: report for path, report in read.items() if isinstance(report, dict) and "rows" in report}


def of_kernel(kernel: str) -> str:
    """The rows that measure a kernel: those named "conv2d", "conv2d.forward", "conv2d forward, ..."; "" if none."""
    text = ""
    for report in reports().values():
        rows = [row for row in report["rows"] if _kernel(row["name"]) == kernel]
        if rows:
            text += _machine(report) + _table(rows)
    return text


def _kernel(name: str) -> str:
    return name.replace(".", " ").replace("/", " ").replace(",", " ").split()[0]


def _machine(report: dict[str, Any]) -> str:
    machine = report.get("machine", {})
    shown = {key: value for key, value in machine.items() if isinstance(value, (str, int, float))}
    return "Measured on: " + "; ".join(f"{key} {value}" for key, value in shown.items()).replace("*", "\\*") + ".\n\n"


def _table(rows: list[dict[str, Any]]) -> str:
    flops = any("gflops" in row for row in rows)
    header = ["what", "threads", "minidl, ms", "best peer", "its ms", "ours / best peer"]
    cells = []
    for row in rows:
        best = row.get("best_peer")
        cell = [f"``{row['name']}``", str(row.get("threads", "")), _number(row.get("ours_ms")), best or "–"]
        cell += [_number(row.get("peers_ms", {}).get(best)), _number(row.get("ratio"))]
        if flops:
            cell += [_number(row.get("gflops")), _number(row.get("percent_of_peak"))]
        cells.append(cell)
    return table(header + (["GFLOP/s", "% of peak"] if flops else []), cells)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def write(pages: Pages) -> None:
    text = title("Benchmarks")
    text += (
        "Times are the median of runs that take turns with the peers' on the same machine, the same number of threads "
        "and the same data, after both have been checked to give the same numbers. A ratio below 1 means that minidl "
        "is faster. ``python -m benchmarks training`` measures them again.\n\n"
    )
    pictures = [path for path in sorted(RESULTS.glob("*")) if path.suffix in PICTURES] if RESULTS.is_dir() else []
    for picture in pictures:
        pages.write(f"benchmarks/{picture.name}", picture.read_bytes())
        alt = picture.stem.replace("_", " ").replace("-", " ")
        text += f".. figure:: /benchmarks/{picture.name}\n   :alt: {alt}\n\n   {alt}\n\n"
    for path, report in reports().items():
        text += title(path.stem, "-") + _machine(report) + _table(report["rows"])
    if not pictures and not reports():
        text += "No results are stored in this copy of the project: run the command above with ``--json``.\n"
    pages.write("benchmarks.rst", text)
