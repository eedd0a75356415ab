# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scripts of ovm-template-config import: templateconfig.cli and templateconfig.common.

Scripts bring a Python of their own, so these run on Python 2.6 and 2.7 as well as on 3.6 and later.
"""

import sys

if sys.version_info[0] > 2:
    from _frozen_importlib_external import MAGIC_NUMBER

    # Within the program's file, Python compiles all that it imports at each start, unless there is bytecode for it:
    # FILE/MAGIC/lib/templateconfig beside FILE/lib/templateconfig. See programs/build.py.
    _file, _lib, _name = __path__[0].rpartition("/lib/")
    __path__.insert(0, _file + "/" + MAGIC_NUMBER.hex() + _lib + _name)
