"""How the documentation is built: `make docs`, strictly and without the network."""

import os
import sys
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"  # kernels are documented as the functions that they are, and nothing is compiled
sys.path.insert(0, str(Path(__file__).parent / "site"))

import quedge

project = "quedge"
author = "The quedge authors"
copyright = "The quedge authors; Apache-2.0"
version = release = quedge.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "mathml",
    "google_docstrings",
    "symbols",
]
exclude_patterns = ["site", "drawings"]
nitpicky = True

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

default_role = "literal"  # docstrings write `name` for code
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
maximum_signature_line_length = 96
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # a field is described once, in its record's docstring
napoleon_attr_annotations = False  # signatures have the types
napoleon_custom_sections = [("Source", "notes_style")]
autodoc_type_aliases = {
    name: name for name in ("ArrayLike", "Bools", "Bytes", "Floats", "Floats32", "Ints", "NDArray", "PerDevice")
}
nitpick_ignore_regex = [
    # other projects' names: their inventories would have to be fetched from the network
    (
        "py:.*",
        r"(np|numpy|asyncio|collections|concurrent|cryptography|datetime|enum|grpc|gymnasium|hashlib|importlib|pathlib)\..*"
        r"|(pettingzoo|pyarrow|socket|sqlite3|ssl|stable_baselines3|torch|typing)\..*",
    ),
    # arrays, paths and entry points, as signatures write them
    ("py:class", r"ArrayLike|Bools|Bytes|EntryPoint|Floats|_?Floats32|Ints|NDArray|Path|PerDevice"),
    ("py:class", r"quedge\..*\.(_\w+|T)"),  # private classes and type variables have no page
    ("py:class", r"pb\..*|quedge\.service\.(quedge_pb2|methods)\..*"),  # generated from quedge.proto
    # inner parts that have no page
    ("py:.*", r"quedge\.experiments\.engine\.(workers|execution)\..*"),
    ("py:.*", r"quedge\.service\.client\.(connection|conversation|messages)\..*"),
    ("py:.*", r"Forward|WorkersError|quedge\.allocation\.sca\.problem\.RoundSolver"),
]
add_module_names = False
suppress_warnings = ["ref.python"]  # a class that two modules have: each page links to its own

html_theme = "furo"
html_title = "quedge"
html_static_path = ["site/static"]
html_css_files = ["quedge.css"]
html_search_scorer = str(Path(__file__).parent / "site" / "scorer.js")
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp"
