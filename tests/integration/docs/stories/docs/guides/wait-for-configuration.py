# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import answers, boots_first, sends
from tests.integration.docs.story import Story

STORY = Story(
    before={
        "ovm.messaging.provision_guest": boots_first("web1", "network", "datetime"),
        "app.licence": sends("web1", app__licence="AA-1"),
        "app.configured": answers("web1", "app.licence", "app.configured=yes"),
    },
)
