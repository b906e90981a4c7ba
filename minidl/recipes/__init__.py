"""Recipes: whole systems that one command trains. Every file here with a `RECIPE` is one; a new file is a new recipe.

`recipe.py` says what a recipe is. `training_run.py` trains one and leaves its checkpoint and pictures in a folder;
`trained.py` loads the network of a checkpoint.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from minidl.recipes.image_classifier import ImageClassifier
from minidl.recipes.recipe import Recipe
from minidl.recipes.trained import Prediction, TrainedClassifier, load_classifier, load_trained, read_pixels
from minidl.recipes.training_run import CHECKPOINT, train

__all__ = [
    "CHECKPOINT", "DEFAULT", "ImageClassifier", "Prediction", "Recipe", "TrainedClassifier", "find", "load_classifier",
    "load_trained", "read_pixels", "recipes", "train",
]  # fmt: skip

DEFAULT = "digits-cnn"


@cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = [module.RECIPE for module in modules if hasattr(module, "RECIPE")]
    return {recipe.name: recipe for recipe in sorted(found, key=lambda recipe: (recipe.name != DEFAULT, recipe.name))}


def find(name: str) -> Recipe:
    """The recipe of that name."""
    if name not in recipes():
        raise ValueError(f"unknown recipe {name!r}; expected one of {', '.join(recipes())}")
    return recipes()[name]
