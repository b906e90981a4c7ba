"""Where data sets are looked for on this machine."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path


def user_path(path: Path | str) -> Path:
    """The path with the home folder for ~ or ~user, which stays where there is no such home."""
    return Path(os.path.expanduser(path))


def cache_folder() -> Path:
    """The folder that downloads go to: $XDG_CACHE_HOME/minidl, or ~/.cache/minidl."""
    return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "minidl"


def find_file(folder: Path, name: str) -> Path | None:
    """`folder/name`, or `folder/name.gz`, whichever is there."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def missing_files(folder: Path, files: Sequence[str | tuple[str, ...]]) -> list[str]:
    """Those of `files` that `folder` lacks, plain and gzipped; of a tuple of names any one is enough."""
    choices = [(names,) if isinstance(names, str) else names for names in files]
    return [" or ".join(names) for names in choices if not any(find_file(folder, name) for name in names)]


def find_folder(
    title: str,
    folders: Sequence[str],
    files: Sequence[str | tuple[str, ...]],
    root: Path | str | None,
    function: str,
) -> Path:
    """The folder that holds a data set.

    Looked for in `root` alone where it is given; else in the folder that MINIDL_DATA names, then in the user's cache
    folder. In each of them as a subfolder of one of the names `folders`, and in the first two as that folder itself.

    Parameters
    ----------
    title : str
        The data set's name for messages.
    folders : sequence of str
        The names that its folder may have.
    files : sequence of str or tuple of str
        The files it must hold, plain or with .gz added; of a tuple, any one.
    root : path, optional
        The folder the user gave.
    function : str
        Of minidl.data, which reads the set: for the message.

    Raises
    ------
    FileNotFoundError
        If it is not there: lists every place, what it lacks, and what to type. If `root` is no folder.
    """
    root = None if root is None else user_path(root)
    if root is not None and not root.is_dir():
        raise FileNotFoundError(
            f"the data folder {root} " + ("is a file, expected a folder" if root.exists() else "does not exist")
        )
    base = os.environ.get("MINIDL_DATA") if root is None else root
    base = user_path(base) if base else None
    places = [*(base / folder for folder in folders), base] if base else []
    if root is None:
        places += [cache_folder() / folder for folder in folders]
    report = []
    for place in places:
        if not place.is_dir():
            report.append(f"  {place}: no such folder")
            continue
        missing = missing_files(place, files)
        if not missing:
            return place
        report.append(f"  {place}: lacks {', '.join(missing)}")
    to_root = "" if root is None else f"{str(root)!r}, "
    advice = (
        "give the folder with --data DIR (root=DIR in Python) or in the environment variable MINIDL_DATA, "
        f"as DIR/{folders[0]}, or fetch it once: "
        f'python -c "from minidl import data; data.{function}({to_root}download=True)"'
    )
    raise FileNotFoundError(f"{title} was not found. Looked in\n" + "\n".join(report) + f"\n{advice}")


def find_or_download(
    title: str,
    folders: Sequence[str],
    files: Sequence[str | tuple[str, ...]],
    root: Path | str | None,
    fetch: Callable[[Path], None] | None,
    function: str,
) -> Path:
    """The folder that holds a data set; where it is not found and `fetch` is given, `fetch(folder)` puts it there.

    That folder is a subfolder of `root`, or of the user's cache folder.
    """
    try:
        return find_folder(title, folders, files, root, function)
    except FileNotFoundError:
        if fetch is None:
            raise
    folder = (cache_folder() if root is None else user_path(root)) / folders[0]
    if folder.parts[0].startswith("~"):
        raise FileNotFoundError(
            f"{title} cannot be fetched to {folder}: {folder.parts[0]} has no home folder; give another root=DIR, or "
            "set XDG_CACHE_HOME"
        )
    fetch(folder)
    return folder
