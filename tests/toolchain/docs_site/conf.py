# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings, for the site and for the man pages; Sphinx reads this file by itself."""

import yaml

from toolchain import ROOT
from toolchain.docs_site import source

_about = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))

project = "{namespace}.{name}".format(**_about)
author = "The ovm.messaging authors"
version = release = _about["version"]
# In all of them, so that a build does not depend on the day.
project_copyright = "2026 " + author

extensions = ["myst_parser", "sphinx_antsibull_ext", "toolchain.docs_site.extension"]
# as GitHub has them
myst_heading_anchors = 6
myst_enable_extensions = ["alert"]

reference_labels = source.labels()
reference_folder = source.REFERENCE

html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_favicon = "static/favicon.svg"
# There is nothing in it: neither programs nor options are Sphinx's objects.
html_use_index = False
# What stands behind many pages is no file of the repository.
html_theme_options = {"top_of_page_buttons": []}
highlight_language = "none"
pygments_style = "friendly"

man_pages = source.man_pages()
man_make_section_directory = True
man_show_urls = True
