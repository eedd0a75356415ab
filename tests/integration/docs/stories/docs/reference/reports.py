# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import does, like_the_report
from tests.integration.docs.story import Story

STORY = Story(
    guests=("web1",),
    setup=does("web1", "ovmd -p key1=value1; ovm-chkconfig --add datetime; ovmd -s configure"),
    checked={
        '"version"': like_the_report("ovmd.report.guest"),
        '"digest"': like_the_report("ovmd.report.held.key1"),
        '"interfaces"': like_the_report("ovmd.report.addresses"),
        '"state"': like_the_report("ovmd.report.configuration"),
    },
)
