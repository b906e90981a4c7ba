"""The measurements in benchmarks/results: tables from the JSON files, the pictures beside them, how they are made."""

from __future__ import annotations

import json
import sys
from typing import Any

from generator.links import site_links
from generator.pages import ROOT, Pages, table

sys.path.append(str(ROOT))  # the folder benchmarks is in no package
from benchmarks.table import cells, markdown, measured_on  # noqa: E402

FOLDER = ROOT / "benchmarks"
RESULTS = FOLDER / "results"
# The first word of a case's name, where it is not the kernel's.
OTHER_NAMES = {
    "relu": "activations", "sigmoid": "activations", "tanh": "activations", "gelu": "activations",
    "gelu_tanh": "activations", "conv2d+relu+pool": "conv2d_relu_pool", "rnn": "recurrent", "lstm": "recurrent",
    "gru": "recurrent", "optimizer": "optimizers",
}  # fmt: skip
HEADINGS = {
    "training": "Training steps",
    "architectures": "Well-known architectures",
    "kernels": "Kernels",
    "matmul-one-thread": "Matrix products on one thread",
    "sizes": "Growing batches and images",
    "engine": "The cost of recording operations",
    "busy": "A busy machine",
    "clustering": "Clustering, compared with scikit-learn",
}
# Files whose names end with -WORD are from a machine of their own.
MACHINES = {"zen5": "on the newest EPYC", "xeon": "on a Xeon", "avx2": "on a processor without AVX-512"}


def heading(name: str) -> str:
    """The heading of the report in the file of this name."""
    suite, _, machine = name.rpartition("-")
    if machine in MACHINES:
        return f"{HEADINGS.get(suite, suite)}, {MACHINES[machine]}"
    return HEADINGS.get(name, name)


def reports() -> dict[str, dict[str, Any]]:
    """What `python -m benchmarks ... --json` wrote, by the name of its file."""
    read = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    order = [name for suite in HEADINGS for name in (suite, *(f"{suite}-{machine}" for machine in MACHINES))]
    return {name: read[name] for name in sorted(read, key=[*order, *sorted(read)].index)}


def of_kernel(kernel: str) -> str:
    """The rows that measure a kernel, those named "conv2d forward, ...", as reStructuredText; "" if there are none."""
    text = ""
    for report in reports().values():
        rows = [row for row in report["rows"] if report["suite"] == "kernels" and _kernel(row["name"]) == kernel]
        if rows:
            report = report | {"rows": rows}
            head, *body = cells(report)
            text += measured_on(report).replace("*", "\\*") + "\n\n" + table(head, body)
    return text


def _kernel(name: str) -> str:
    first = name.split()[0].rstrip(",")
    return OTHER_NAMES.get(first, first)


def write(pages: Pages) -> None:
    text = "# Benchmarks\n\n"
    text += (
        "minidl compared with other frameworks: on the same machine, in the same run, taking turns. Their results are "
        "compared too. A ratio below 1 means that minidl takes less time. "
        "[How they are measured, and how to run them](benchmarks-method.md).\n\n"
    )
    found = reports()
    for name, report in found.items():
        text += f"## {heading(name)}\n\n{markdown(report)}\n"
        picture = RESULTS / f"{name}.png"
        if picture.is_file():
            pages.write(f"benchmarks/{picture.name}", picture.read_bytes())
            text += f"![{heading(name)}: the table above as a picture](/benchmarks/{picture.name})\n\n"
    if not found:
        text += "No times are stored in this copy of the project. `make bench` measures them.\n\n"
    if any((RESULTS / "systems").glob("*.json")):
        from benchmarks import systems

        text += "## What the recipes reach\n\nEach run is `minidl train RECIPE --seed N`. "
        text += f"The times are those of its machine, which may have been busy.\n\n{systems.table()}\n\n"
    text += "```{toctree}\n:hidden:\n\nHow they are measured <benchmarks-method>\n```\n"
    pages.write("benchmarks.md", text)
    method = (FOLDER / "README.md").read_text().replace("# Benchmarks", "# How the benchmarks are made", 1)
    pages.write("benchmarks-method.md", site_links(method, "benchmarks", "benchmarks-method"))
