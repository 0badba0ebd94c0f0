"""How the documentation is built."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from flask_notify import __version__

project = "Flask-Notify"
author = "The Flask-Notify developers"
release = version = __version__

extensions = ["sphinx.ext.autodoc"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autoclass_content = "class"
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"Flask-Notify {release}"

# Links to other projects need the network, and the build must not.
if os.environ.get("DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "flask": ("https://flask.palletsprojects.com/", None),
        "python": ("https://docs.python.org/3", None),
        "sqlalchemy": ("https://docs.sqlalchemy.org/", None),
    }
