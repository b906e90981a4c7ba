"""Paths that a program was given, checked before anything is read or computed."""

from __future__ import annotations

from pathlib import Path


def existing_file(path: Path | str, what: str, ending: str = ".safetensors") -> Path:
    """The path; a FileNotFoundError where there is no file, `what` being what it should hold: a "checkpoint".

    Of a folder the error names the first file with that ending.
    """
    path = Path(path)
    if path.is_dir() or not path.exists():
        state = "is a folder, expected a file" if path.is_dir() else "does not exist"
        inside = sorted(path.glob(f"*{ending}"))
        hint = f", such as {inside[0]}" if inside else ""
        raise FileNotFoundError(f"the {what} {path} {state}{hint}")
    return path


def in_existing_folder(path: Path | str) -> Path:
    """The path; a FileNotFoundError where its folder does not exist, so that it cannot be written."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist, so {path.name} cannot be written to it")
    return path
