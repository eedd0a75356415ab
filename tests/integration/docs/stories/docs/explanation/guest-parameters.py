# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import one_after_the_other, sends
from tests.integration.docs.story import Story

ANSWER = {"registry__url": "https://registry.example.com/"}
STORY = Story(setup=one_after_the_other(sends("web1", **ANSWER), sends("web2", **ANSWER)))
