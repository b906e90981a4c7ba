"""einsum: products and sums of arrays, written with one letter for each axis (Einstein's summation convention)."""

from __future__ import annotations

import math
import string
from itertools import combinations
from typing import Any

from minidl import kernels
from minidl.autograd import Function
from minidl.functional.broadcast import broadcast_to
from minidl.functional.indexing import Index
from minidl.functional.operands import namespace
from minidl.functional.shape import permute, reshape

__all__ = ["einsum"]


class Einsum(Function):
    """y[output letters] = sum over all other letters of the product of the operands; no letter twice in an operand."""

    is_view = True  # of a single operand with no letter to sum over, NumPy only rearranges the axes

    def __init__(self, letters: list[str], output: str):
        self.letters, self.output_letters = letters, output

    def forward(self, *operands):
        terms = list(zip(operands, self.letters))
        while len(terms) > 2:
            # replace two operands by their product: the pair with the smallest product
            pairs = {pair: _kept(pair, terms, self.output_letters) for pair in combinations(range(len(terms)), 2)}
            (i, j), kept = min(pairs.items(), key=lambda item: math.prod(_sizes(terms, item[1])))
            product = _product(terms[i], terms[j], kept)
            terms = [term for k, term in enumerate(terms) if k not in (i, j)] + [(product, kept)]
        if len(terms) == 2:
            return _product(*terms, self.output_letters)
        return namespace(*operands).einsum(f"{self.letters[0]}->{self.output_letters}", *operands)

    def backward(self, dy, inputs, output):
        return tuple(self._gradient(i, dy, inputs) if self.needs(i) else None for i in range(len(inputs)))

    def _gradient(self, i: int, dy: Any, inputs: Any) -> Any:
        # dx = dy times the other operands, summed over the letters that x does not have
        # (a letter that only x has was summed over in y: along its axis all dx are equal)
        letters = [self.output_letters, *self.letters[:i], *self.letters[i + 1 :]]
        known = set().union(*letters)
        kept = "".join(letter for letter in self.letters[i] if letter in known)
        dx = Einsum(letters, kept)(dy, *inputs[:i], *inputs[i + 1 :])
        sizes = iter(dx.shape)
        dx = reshape(dx, tuple(next(sizes) if letter in known else 1 for letter in self.letters[i]))
        return broadcast_to(dx, tuple(n if m == 1 else m for n, m in zip(inputs[i].shape, dx.shape)))


def _kept(pair: tuple[int, int], terms: list, output: str) -> str:
    """The letters of a pair of terms that the output or another term has, too."""
    others = output + "".join(letters for k, (_, letters) in enumerate(terms) if k not in pair)
    return _in_order(terms[pair[0]][1] + terms[pair[1]][1], others)


def _in_order(letters: str, among: Any) -> str:
    """Those of the letters that are among others, each once."""
    return "".join(letter for letter in dict.fromkeys(letters) if letter in among)


def _sizes(terms: Any, letters: str) -> list[int]:
    """The size of each letter, where a 1 broadcasts."""
    sizes: dict[str, int] = {}
    for x, of_x in terms:
        for letter, n in zip(of_x, x.shape):
            sizes[letter] = n if sizes.get(letter, 1) == 1 else sizes[letter]
    return [sizes[letter] for letter in letters]


def _product(a: tuple[Any, str], b: tuple[Any, str], output: str) -> Any:
    """The product of two arrays, each with its letters; by matrix products if there are rows, columns and sums."""
    of_a, of_b = set(a[1]), set(b[1])
    rows, columns = _in_order(output, of_a - of_b), _in_order(output, of_b - of_a)
    batch, summed = _in_order(output, of_a & of_b), _in_order(a[1], of_a & of_b - set(output))
    xp = namespace(a[0], b[0])
    if not (rows and columns and summed) or a[0].dtype != b[0].dtype or a[0].dtype.kind != "f":
        return xp.einsum(f"{a[1]},{b[1]}->{output}", a[0], b[0])
    shapes = [_sizes((a, b), letters) for letters in (batch, rows, summed, columns)]
    i, k, j = (math.prod(shape) for shape in shapes[1:])
    # y[batch, rows, columns] = sum over the summed letters of a[batch, rows, summed] * b[batch, summed, columns]
    left = _matrices(xp, *a, batch + rows + summed, sum(shapes[:3], [])).reshape(*shapes[0], i, k)
    right = _matrices(xp, *b, batch + summed + columns, shapes[0] + shapes[2] + shapes[3]).reshape(*shapes[0], k, j)
    y = kernels.matmul.forward(left, right).reshape(shapes[0] + shapes[1] + shapes[3])
    return y.transpose([(batch + rows + columns).index(letter) for letter in output])


def _matrices(xp: Any, x: Any, of_x: str, letters: str, shape: list[int]) -> Any:
    """x with its axes in the order of `letters`, summed over its other letters, and broadcast to `shape`."""
    return xp.broadcast_to(xp.einsum(f"{of_x}->{letters}", x), shape)


def einsum(equation: str, *operands: Any) -> Any:
    """Sums of products, each axis named by a letter: ``"ij,jk->ik"`` is the matrix product.

    y[output letters] = sum over all other letters of the product of the operands

    Parameters
    ----------
    equation : str
        The letters of each operand, separated by commas; after ``->`` those of the output, by default the letters that
        occur once, in alphabetical order. A letter twice in one operand takes the diagonal; ``...`` stands for any
        axes in front, which broadcast.
    operands : arrays or Tensors
        Also as one list.

    Raises
    ------
    ValueError
        The letters do not fit the operands.

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x = minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> F.einsum("ii->", x)  # the trace
    tensor(5.)
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    letters, output = _parse(equation, [tuple(x.shape) for x in operands])
    diagonals = [_diagonals(x, part) for x, part in zip(operands, letters)]
    return Einsum([part for _, part in diagonals], output)(*(x for x, _ in diagonals))


def _parse(equation: str, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand and of the output; dots are replaced by letters that the equation does not use."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise ValueError(f"einsum: {equation!r} has {len(parts)} operands, {len(shapes)} were given")
    spare = [letter for letter in string.ascii_letters if letter not in equation]
    dotted = max((len(shape) - len(part) + 3 for part, shape in zip(parts, shapes) if "..." in part), default=0)
    letters = []
    for i, (part, shape) in enumerate(zip(parts, shapes)):
        axes = len(shape) - len(part.replace("...", ""))  # that the dots stand for
        if axes < 0 or (axes > 0 and "..." not in part):
            raise ValueError(f"einsum: {part!r} in {equation!r} does not fit operand {i} of shape {shape}")
        letters.append(part.replace("...", "".join(spare[dotted - axes : dotted]), 1))
    dots = "".join(spare[:dotted])
    once = sorted(letter for letter in set(left) - set(",.") if left.count(letter) == 1)
    output = right.replace("...", dots, 1) if arrow else dots + "".join(once)
    every = set().union(*letters)
    wrong = [letter for letter in output if letter not in every or output.count(letter) > 1]
    wrong += [letter for letter in every if not letter.isalpha()]
    if wrong:
        raise ValueError(f"einsum: {wrong[0]!r} in {equation!r} is not a letter, or not one that the output can have")
    sizes: dict[str, int] = {}
    for part, shape in zip(letters, shapes):
        for letter, n in zip(part, shape):
            if n != sizes.setdefault(letter, n) and 1 not in (n, sizes[letter]):
                raise ValueError(
                    f"einsum: sizes {sizes[letter]} and {n} of one letter in {equation!r}, shapes {shapes}"
                )
            sizes[letter] = max(n, sizes[letter])
    return letters, output


def _diagonals(x: Any, letters: str) -> tuple[Any, str]:
    """x with one axis for each letter: y[i, ...] = x[i, i, ...] where a letter occurs twice."""
    letter = next((letter for letter in letters if letters.count(letter) > 1), None)
    if letter is None:
        return x, letters
    first, second = letters.index(letter), letters.rindex(letter)
    rest = [axis for axis in range(x.ndim) if axis not in (first, second)]
    x = permute(x, (first, second, *rest))
    if x.shape[0] != x.shape[1]:
        raise ValueError(
            f"einsum: letter {letter!r} stands for axes of sizes {x.shape[0]} and {x.shape[1]} of one operand"
        )
    positions = namespace(x).arange(x.shape[0])
    x = Index((positions, positions), distinct=True)(x)
    return _diagonals(x, letter + "".join(letters[axis] for axis in rest))
