"""Makes the pages of the site from the code, the tutorials and the README; `docs/build.py` calls each part.

Every part writes reST or Markdown into one folder, and Sphinx makes the site of it. A new tutorial, kernel, operation
or public module gets its page by itself.
"""
