"""The documentation site: `make docs` writes it to docs/_build/html; nothing is fetched while it is built or read."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import figures  # noqa: E402
import rooms  # noqa: E402

import covey  # noqa: E402

project = "covey"
author = "The covey developers"
copyright = author
version = release = covey.__version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "figures",
    "reference",
    "run",
]
exclude_patterns = ["_build", "gallery"]
suppress_warnings = ["config.cache"]  # the gallery's scraper is a function, which Sphinx cannot pickle

myst_heading_anchors = 2
myst_enable_extensions = ["colon_fence"]

autodoc_typehints = "none"  # the docstrings say types, with shapes
autodoc_member_order = "bysource"
default_role = "py:obj"
numpydoc_show_class_members = False
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries = False

sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["auto_gallery"],
    "within_subsection_order": rooms.HouseOrder,
    "run_stale_examples": True,  # what they show depends on the package
    "filename_pattern": r"plot_",
    "image_scrapers": (figures.scraper,),
    "reset_modules": (),
    "capture_repr": ("_repr_html_", "__repr__"),
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "covey"
html_static_path = ["_static"]
html_css_files = ["covey.css"]
html_sidebars = {"index": [], "catalogue": [], "performance": []}
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "covey"},
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
