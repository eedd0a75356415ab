# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What schemathesis loads: ids that there are, else nearly all requests would end at one that there is not."""

import json
import os
import re

import schemathesis

_IDS = json.loads(os.environ["OVM_FUZZ_IDS"])
_SPELLINGS = (str, str.upper, "-".join)
# Of the description: a machine, whatever else has a number.
_FORMS = ("(-*[0-9A-Fa-f]){32}-*", "[0-9]{1,18}")


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Two of three ids become one of an object of that kind; which two is up to what was drawn.

    One that is no id is meant to be refused, and stays.
    """
    given = (path_parameters or {}).get("id")
    ids = _IDS.get(context.operation.path.split("/")[1], ())
    if isinstance(given, str) and ids and any(re.fullmatch(form, given) for form in _FORMS):
        number = sum(given.encode("utf-8", "surrogatepass"))
        if number % 3:
            chosen = ids[number // 3 % len(ids)]
            respelt = _SPELLINGS[number // 7 % len(_SPELLINGS)] if "/Vm/" in context.operation.path else str
            return dict(path_parameters, id=respelt(chosen))
    return path_parameters
