"""Sphinx's settings. `docs/build.py` calls Sphinx; the pages are in build/site/pages."""

import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import minidl  # noqa: E402

project = "minidl"
version = release = minidl.__version__
copyright = "the minidl authors, MIT licence"
language = "en"
exclude_patterns = ["static"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_design",
    "generator.docstrings",
    "generator.source_pages",
]

# Tutorials: generator.execution has put the results of all of them there.
nb_execution_mode = "cache"
nb_execution_cache_path = os.environ["MINIDL_SITE_RESULTS"]
nb_merge_streams = True
logging.getLogger("traitlets").setLevel(logging.WARNING)  # else every notebook is announced, without its name

myst_enable_extensions = ["dollarmath", "amsmath", "attrs_block"]
myst_heading_anchors = 3
highlight_language = "none"  # formulas are no Python
smartquotes = False  # what a page tells the reader to type, quotes included, can be copied

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries = False  # the headings name them already

# Nothing is fetched from elsewhere when a page is read.
mathjax_path = "mathjax/tex-svg.js"
html_theme = "furo"
html_title = "minidl"
html_favicon = "favicon.svg"
html_static_path = [str(Path(__file__).parents[1] / "build" / "site" / "pages" / "static")]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
