"""What programs written for PyTorch look for in minidl, and what to type instead."""

import sys
from typing import NoReturn

ADVICE = {
    "Size": "a shape is a tuple",
    "amp": "leave it out: networks compute in float32 or float64",
    "asarray": "write minidl.as_tensor",
    "autocast": "leave it out: networks compute in float32 or float64",
    "backends": "leave it out; minidl.use_backend chooses the kernels",
    "bfloat16": "networks compute in minidl.float32 or minidl.float64",
    "compile": "leave it out: operations run as they are written",
    "float16": "networks compute in minidl.float32 or minidl.float64",
    "get_rng_state": "write minidl.random.get_state",
    "half": "networks compute in minidl.float32 or minidl.float64",
    "linalg": "there are minidl.matmul and minidl.norm; for more, without gradients, write np.linalg.inv(x.numpy())",
    "set_default_dtype": "write dtype=minidl.float64 where tensors are made, and model.double()",
    "set_rng_state": "write minidl.random.set_state",
    "use_deterministic_algorithms": "leave it out: on the CPU a program gives the same bits every time",
    "utils": "torch.utils.data is minidl.data",
    "vmap": "write minidl.stack([f(x) for x in xs])",
}


def missing(name: str) -> NoReturn:
    """Raise for a name that minidl lacks; it is the ``__getattr__`` of minidl."""
    advice = f"; {ADVICE[name]}" if name in ADVICE else ""
    raise AttributeError(f"module 'minidl' has no attribute {name!r}{advice}", name=name, obj=sys.modules["minidl"])
