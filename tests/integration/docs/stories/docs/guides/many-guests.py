# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import answers, one_after_the_other
from tests.integration.docs.story import Story

WEB = ("web1", "web2", "web3")
STORY = Story(
    guests=WEB,
    environment=("OVM_PORT", "OVM_PASSWORD"),
    before={
        'app.release: "9"': one_after_the_other(*(answers(name, "app.release=9", "app.updated=9") for name in WEB)),
    },
)
