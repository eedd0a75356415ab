# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web page: what there is to see of VMs, messages and events. It only reads."""

import functools
import pkgutil
import re
import time

import jinja2
from starlette.responses import Response
from starlette.routing import Route

from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import INCOMING, RECEIVED, SENT
from ansible_collections.ovm.messaging.plugins.module_utils.values import MASK
from ansible_collections.ovm.messaging.plugins.module_utils.vms import canonical_id

from .errors import Refusal
from .shapes import is_secret
from .visible import pieces

#: Rows that a page shows at once; where a page has several lists, the fewer.
ROWS, FEW = 100, 10


class Pages:
    """The pages.

    :param Backend backend: what is behind them.
    :param Shapes shapes: how events read.
    """

    def __init__(self, backend, shapes):
        self._backend, self._shapes = backend, shapes
        self._templates = jinja2.Environment(
            loader=jinja2.FunctionLoader(_template),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["pieces"] = pieces
        self._templates.filters["when"] = _when
        self._templates.filters["stamp"] = _stamp

    def routes(self):
        """What Starlette needs to know."""
        pages = [
            ("/", self._vms),
            ("/vm/{id}", self._vm),
            ("/vm/{id}/{list:str}", self._list),
            ("/events", self._events),
        ]
        routes = [Route(path, self._answering(work), methods=["GET"]) for path, work in pages]
        return [Route("/style.css", self._style, methods=["GET"]), *routes]

    def refusal(self, refusal):
        """The page that a Refusal is."""
        return Response(self._render("refusal.html", refusal=refusal), refusal.status, refusal.headers, "text/html")

    def _answering(self, work):
        async def handler(request):
            before = request.query_params.get("before")
            if before is not None and not re.fullmatch("[0-9]{1,18}", before):
                raise Refusal("INVALID_VALUE", "before is to be a whole number")
            show = functools.partial(work, request.path_params, before and int(before))
            return Response(await self._backend.reading(show), media_type="text/html")

        return handler

    async def _style(self, _request):
        return Response(_data("style.css"), media_type="text/css")

    # The pages; by a thread, since they read

    def _vms(self, _path, _before):
        vms = []
        for vm in self._backend.vms():
            last = self._backend.store.messages(vm.id, RECEIVED, limit=1)
            vms.append((vm, last[0] if last else None))
        return self._render("vms.html", vms=vms)

    def _vm(self, path, _before):
        vm = self._wanted(path)
        return self._render(
            "vm.html",
            vm=vm,
            waiting=self._backend.waiting(vm),
            lists=[(name, self._rows(kind, vm, None, FEW)) for name, kind in _LISTS.items()],
        )

    def _list(self, path, before):
        if path["list"] not in _LISTS:
            raise Refusal("NO_HANDLER", "there is nothing at this address")
        vm = self._wanted(path)
        return self._render(
            "list.html", vm=vm, name=path["list"], rows=self._rows(_LISTS[path["list"]], vm, before, ROWS)
        )

    def _events(self, _path, before):
        return self._render("list.html", vm=None, name="events", rows=self._rows(None, None, before, ROWS))

    def _wanted(self, path):
        identity = canonical_id(path["id"])
        vm = self._backend.vm(identity) if re.fullmatch("[0-9a-f]{32}", identity) else None
        if vm is None:
            raise Refusal("NOT_FOUND", "there is no such virtual machine")
        return vm

    def _rows(self, direction, vm, before, count):
        """Messages, or events where no direction is given, newest first.

        :returns: them, and the number before which there are more, or None.
        """
        if direction:
            rows = self._backend.store.messages(vm.id, direction, limit=count + 1, before=before)
        else:
            rows = self._backend.store.events(vm and vm.id, limit=count + 1, before=before)
        rows = rows[::-1]
        older = rows[count - 1].id if len(rows) > count else None
        return rows[:count], older

    def _render(self, template, **values):
        names = {vm.id: vm.name for vm in self._backend.store.vms()}
        values.update(masked=lambda m: MASK if is_secret(m) else m.value, incoming=INCOMING, names=names)
        return self._templates.get_template(template).render(values)


#: A VM's lists: their names in addresses -> direction of messages; events have none.
_LISTS = {"received": RECEIVED, "sent": SENT, "events": None}


def _template(name):
    return _data(name).decode("utf-8")


def _data(name):
    # From the archive too that the program may be.
    return pkgutil.get_data(__package__, "templates/" + name)


def _when(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
