"""Layers: parameters and the functions of :mod:`minidl.functional` that use them."""

from minidl import functional
from minidl.nn import init, utils
from minidl.nn.activation import (
    ELU,
    GELU,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minidl.nn.attention import MultiheadAttention
from minidl.nn.container import ModuleDict, ModuleList, ParameterList, Sequential
from minidl.nn.conv import Conv1d, Conv2d, ConvTranspose2d
from minidl.nn.dropout import Dropout, Dropout2d
from minidl.nn.embedding import Embedding, EmbeddingBag
from minidl.nn.linear import Flatten, Identity, Linear, Unflatten
from minidl.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CosineSimilarity,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    TripletMarginLoss,
)
from minidl.nn.module import Module, Parameter
from minidl.nn.neighbours import fusion
from minidl.nn.norm import BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm
from minidl.nn.pool import AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d
from minidl.nn.recurrent import GRU, LSTM, RNN
from minidl.nn.recurrent_cell import GRUCell, LSTMCell, RNNCell
from minidl.nn.resize import Upsample
from minidl.nn.summary import summary
from minidl.nn.transformer import TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d",
    "BatchNorm2d", "Conv1d", "Conv2d", "ConvTranspose2d", "CosineEmbeddingLoss", "CosineSimilarity",
    "CrossEntropyLoss", "Dropout", "Dropout2d", "ELU", "Embedding", "EmbeddingBag", "Flatten", "GELU", "GRU",
    "GRUCell", "GroupNorm", "HuberLoss", "Identity", "InstanceNorm1d", "InstanceNorm2d", "KLDivLoss", "L1Loss", "LSTM",
    "LSTMCell", "LayerNorm", "LeakyReLU", "Linear", "LogSigmoid", "LogSoftmax", "MSELoss", "MaxPool2d", "Module",
    "ModuleDict", "ModuleList", "MultiheadAttention", "NLLLoss", "PReLU", "Parameter", "ParameterList", "RNN",
    "RNNCell", "ReLU", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Tanh",
    "TransformerEncoder", "TransformerEncoderLayer", "TripletMarginLoss", "Unflatten", "Upsample", "functional",
    "fusion", "init", "summary", "utils",
]  # fmt: skip
