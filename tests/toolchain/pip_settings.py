# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How this machine's pip reaches its packages, to be handed to a pip that cannot see it."""

import ast
import configparser
import io
import pathlib
import re
import subprocess
import sys


def read():
    """pip's settings out of all its files and the environment, merged as pip does.

    :returns: by section and option.
    :rtype: configparser.RawConfigParser
    """
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    settings = configparser.RawConfigParser()
    environment = {}
    for line in listing.splitlines():
        name, _equals, value = line.partition("=")
        section, _dot, option = name.rpartition(".")
        if section == ":env:":
            environment[option] = ast.literal_eval(value)
            continue
        if not settings.has_section(section):
            settings.add_section(section)
        # Continued lines need an indent.
        settings.set(section, option, ast.literal_eval(value).replace("\n", "\n "))
    if environment and not settings.has_section("global"):
        settings.add_section("global")
    for option, value in environment.items():
        settings.set("global", option, value)
    # Folders of this machine's toolchain are of no use elsewhere.
    for section in settings.sections():
        settings.remove_option(section, "cache-dir")
    return settings


def text(settings):
    """The settings as a pip.conf.

    :rtype: str
    """
    out = io.StringIO()
    settings.write(out)
    return out.getvalue()


def local_paths(settings):
    """The files and folders of this machine that the settings name: certificates, package folders.

    :rtype: set of str
    """
    values = " ".join(value for section in settings.sections() for _option, value in settings.items(section))
    words = re.sub(r"\bfile://", " ", values).split()
    return {word for word in words if word.startswith("/") and pathlib.Path(word).exists()}
