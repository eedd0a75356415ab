# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_template_script does where there is SELinux; all else it does is tested with Ansible."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import template_script_module

SCRIPT = "#!/bin/sh\n### BEGIN PLUGIN INFO\n# name: a\n# configure: 5\n### END PLUGIN INFO\n"


class Module:
    """As an AnsibleModule on a system with SELinux, where files get a wrong label at first."""

    _diff = False

    def __init__(self, folder, check_mode, **options):
        self.params = dict(
            name="a", state="present", src=None, content=SCRIPT, enabled=True, targets=None, scripts=None,
            template_dir=str(folder), root="/", _contents=None,
        )  # fmt: skip
        self.params.update(options)
        self.check_mode, self.labelled = check_mode, []

    def selinux_enabled(self):
        return True

    def selinux_default_context(self, path):
        return ["right", path]

    def set_context_if_different(self, path, context, changed):
        self.labelled.append((path, context))
        return True

    def exit_json(self, **result):
        self.result = result


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_script_gets_the_label_of_its_place(tmp_path, check_mode):
    path = str(tmp_path / "scripts/a")
    new = Module(tmp_path, check_mode)
    template_script_module.run(new)
    assert new.result["changed"]
    # In check mode there is no file yet that could be looked at.
    assert new.labelled == ([] if check_mode else [(path, ["right", path])])
    template_script_module.run(Module(tmp_path, False))
    again = Module(tmp_path, check_mode)
    template_script_module.run(again)
    assert again.result["changed"] and again.labelled == [(path, ["right", path])]


def test_not_where_this_is_another_systems(tmp_path):
    module = Module("/etc/template.d", False, root=str(tmp_path))
    template_script_module.run(module)
    assert module.result["changed"] and module.labelled == []
