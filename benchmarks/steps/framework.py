"""minidl or PyTorch, as the process was told: a program with these names is the same in both."""

import sys

MODE = sys.argv[2]  # minidl; eager, channels-last or compile of PyTorch
if MODE == "minidl":
    import minidl as library
    from minidl import functional as F
    from minidl import nn, optim
else:
    import torch as library
    from torch import nn, optim
    from torch.nn import functional as F

__all__ = ["F", "MODE", "library", "nn", "optim"]
