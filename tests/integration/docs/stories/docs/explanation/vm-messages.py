# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import answers, does, one_after_the_other
from tests.integration.docs.story import Story

STORY = Story(
    before={
        "Tell two machines where to register": one_after_the_other(
            answers("web1", "registry.url", "registry.state=done"),
            answers("web2", "registry.url", "registry.state=failed"),
        ),
        "Wait until web1 is configured": does("web1", "ovm-chkconfig --add datetime; ovmd -s configure"),
    },
)
