# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What plugins of the manager's side share: options in, values out. Private to this collection."""

from ansible import template
from ansible.module_utils.basic import missing_required_lib

from ansible_collections.ovm.messaging.plugins.module_utils import carriers
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import MissingLibrary
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem, one_line

if hasattr(template, "trust_as_template"):
    # From 2.19 on, ansible-core takes nothing for a template that does not come from its user.
    wrap_var = None
else:
    from ansible.utils.unsafe_proxy import wrap_var

#: The options of doc_fragments/manager.py that plugins have.
CONNECTION = (
    "concurrency",
    "transport",
    "host",
    "port",
    "username",
    "password",
    "client_cert",
    "client_key",
    "ca_path",
    "validate_certs",
    "connect_timeout",
    "timeout",
    "retries",
    "ready_timeout",
    "dialect",
    "xenstore_path",
    "state_dir",
)
# Seconds: ten days, which is for ever; it keeps infinity and nonsense (NaN) out.
_LONGEST = 864000


class BadOptions(Problem):
    """Options that do not go together, or out of range."""


def connect(options):
    """The carrier that a plugin's options name; not connected yet. It takes nothing out of XenStore.

    :param options: a function from an option's name to its value.
    :raises Problem: they make no sense.
    """
    given = {name: options(name) for name in CONNECTION}
    check_seconds(options, "connect_timeout", "timeout")
    check_seconds(options, "ready_timeout", least=0)
    if not 1 <= given["concurrency"] <= 100:
        raise BadOptions("concurrency is %d" % given["concurrency"], "give 1 to 100")
    if given["transport"] == carriers.REST and not given["host"]:
        raise BadOptions("it is not known where the manager is", "give host, or set OVM_HOST in the environment")
    # Plugins start no jobs.
    return carriers.make(dict(given, job_timeout=given["timeout"]), collect=False)


def check_seconds(options, *names, least=0.001):
    """:raises BadOptions: one of these options is no time that anybody can wait."""
    for name in names:
        if not least <= options(name) <= _LONGEST:
            raise BadOptions("%s is %g" % (name, options(name)), "give %g to %d seconds" % (least, _LONGEST))


def rendered(templar, given):
    """What a user has written, with its templates filled in.

    :param given: a value of any kind; only text can be a template.
    """
    if not isinstance(given, str):
        return given
    # Old releases would turn text that looks like a list into one.
    return templar.template(given, convert_data=False) if wrap_var else templar.template(given)


def untrusted(value):
    """The same value, marked so that nothing in it is ever taken for a template: it comes from elsewhere.

    :param value: JSON's kinds.
    """
    return value if wrap_var is None else wrap_var(value)


def explain(problem):
    """What to tell a user of a Problem."""
    return missing_required_lib("requests") if isinstance(problem, MissingLibrary) else one_line(str(problem))
