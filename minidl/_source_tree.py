"""Are `minidl` and `minidl.kernels` from the same place?

In a checkout the kernels lie in `kernels/`, beside `minidl/`; setup.py maps that folder to `minidl.kernels`, and an
installation makes the mapping known to Python. So two things go wrong when Python starts in a checkout that is not the
installed one: it finds `./minidl` first and no kernels at all, or the kernels of another checkout.
"""

from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def check() -> None:
    """Raise ImportError, with what to type, unless `minidl.kernels` belongs to this `minidl`. It imports neither."""
    checkout = PACKAGE.parent
    in_checkout = (checkout / "setup.py").is_file() and (checkout / "kernels").is_dir()
    expected = checkout / "kernels" if in_checkout else PACKAGE / "kernels"
    remedy = f"Type `pip install -e .` in {checkout}" if in_checkout else "Type `pip install --force-reinstall minidl`"
    if in_checkout:
        remedy += ", or start Python in another folder to use the minidl that is installed."
    spec = find_spec("minidl.kernels")
    if spec is None or spec.origin is None:
        raise ImportError(f"minidl was imported from {PACKAGE}, but minidl.kernels is not installed. {remedy}")
    found = Path(spec.origin).resolve().parent
    if found != expected:
        raise ImportError(f"minidl was imported from {PACKAGE}, but minidl.kernels from {found}. {remedy}")
