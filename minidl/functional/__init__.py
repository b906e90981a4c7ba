"""Differentiable operations, by family: with arrays they compute, with Tensors they also record.

For every operation, the file of its family holds a Function (the formula and the rule of its gradient) and the function
that programs call, whose docstring gives the formula, the shapes and the source.
"""

from typing import TYPE_CHECKING

from minidl.functional.activation import *
from minidl.functional.activation_variants import *
from minidl.functional.adaptive_pool import *
from minidl.functional.along_axis import *
from minidl.functional.arithmetic import *
from minidl.functional.attention import *
from minidl.functional.broadcast import *
from minidl.functional.channels import *
from minidl.functional.choice import *
from minidl.functional.classification import *
from minidl.functional.combination import *
from minidl.functional.comparison import *
from minidl.functional.conv import *
from minidl.functional.conv1d import *
from minidl.functional.conversion import *
from minidl.functional.counting import *
from minidl.functional.covariance import *
from minidl.functional.creation import *
from minidl.functional.diagonal import *
from minidl.functional.distance import *
from minidl.functional.dropout import *
from minidl.functional.einstein import *
from minidl.functional.elementwise import *
from minidl.functional.elementwise_variants import *
from minidl.functional.embedding import *
from minidl.functional.entries import *
from minidl.functional.extremes import *
from minidl.functional.fused import *
from minidl.functional.indexing import *
from minidl.functional.integral import *
from minidl.functional.joining import *
from minidl.functional.likelihood import *
from minidl.functional.linear import *
from minidl.functional.loss import *
from minidl.functional.margin import *
from minidl.functional.masks import *
from minidl.functional.nan_reduce import *
from minidl.functional.neighbouring_channels import *
from minidl.functional.norm import *
from minidl.functional.padding import *
from minidl.functional.pairs import *
from minidl.functional.places import *
from minidl.functional.pool import *
from minidl.functional.pool1d import *
from minidl.functional.products import *
from minidl.functional.properties import *
from minidl.functional.random_tensors import *
from minidl.functional.ranks import *
from minidl.functional.recurrent import *
from minidl.functional.recurrent_cell import *
from minidl.functional.reduce import *
from minidl.functional.resize import *
from minidl.functional.scan import *
from minidl.functional.scatter_reduce import *
from minidl.functional.shape import *
from minidl.functional.softmax import *
from minidl.functional.sorting import *
from minidl.functional.splitting import *
from minidl.functional.stacking import *
from minidl.functional.trigonometry import *
from minidl.functional.tuples import *
from minidl.functional.turning import *
from minidl.functional.variance import *
from minidl.functional.windows import *

if not TYPE_CHECKING:  # a type checker follows the lines above
    __all__ = [name for name, value in vars().items() if callable(value) and not name.startswith("_")]
