# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install one of this collection's programs: built here, compiled by the target, copied as one file."""

import hashlib
import json
import os
import shutil
import tempfile

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ...programs import build
from ..module_utils.version import VERSION

_OPTIONS = {
    "name": {"type": "str", "required": True},
    "dest": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "python": {"type": "path"},
    "compile": {"type": "bool", "default": True},
}
#: What ansible.builtin.copy does with the file; it checks these itself.
_FILE_OPTIONS = {
    "owner": {"type": "raw"},
    "group": {"type": "raw"},
    "mode": {"type": "raw", "default": "0755"},
    "attributes": {"type": "raw", "aliases": ["attr"]},
    "seuser": {"type": "raw"},
    "serole": {"type": "raw"},
    "setype": {"type": "raw"},
    "selevel": {"type": "raw"},
    "unsafe_writes": {"type": "raw"},
}
#: A shell's exit code for a command that it does not find.
_NOT_FOUND = 127


class ActionModule(ActionBase):
    """Everything of ovm_program; the module of that name only documents it."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec(dict(_OPTIONS, **_FILE_OPTIONS))
        try:
            files = build.collect(options["name"])  # or says which programs there are
            dest = self._find_dest(options, task_vars)
            before = self._execute_remote_stat(dest, task_vars, follow=False)
            if before["exists"] and before["isdir"]:
                raise AnsibleActionFail("%s is a directory, where the program shall be: remove it first" % dest)
            if options["state"] == "absent":
                result.update(self._remove(dest, task_vars))
            else:
                result.update(self._install(options, files, dest, before, task_vars))
        except (build.BuildError, OSError) as problem:
            raise AnsibleActionFail(str(problem)) from None
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        result["dest"] = dest
        return result

    def _find_dest(self, options, task_vars):
        """The path of the program's file."""
        dest = self._remote_expand_user(options["dest"])
        inside = self._connection._shell.join_path(dest, options["name"])
        if dest.endswith("/"):
            return inside
        found = self._execute_remote_stat(dest, task_vars, follow=True, checksum=False)
        return inside if found["exists"] and found["isdir"] else dest

    def _remove(self, dest, task_vars):
        arguments = {"path": dest, "state": "absent"}
        return self._execute_module("ansible.legacy.file", module_args=arguments, task_vars=task_vars)

    def _install(self, options, files, dest, before, task_vars):
        python = options["python"] or self._find_python(task_vars)
        name = options["name"]
        libraries = build.requirements(name) is not None
        # Made once without, as a bad path is best refused before the target is asked to run it.
        data = build.assemble(files, (), python, libraries)
        bytecode = self._compile(files, python) if options["compile"] else None
        if bytecode:
            data = build.assemble(files, [bytecode], python, libraries)
        result = self._copy(name, data, dest, options, task_vars)
        checksum = hashlib.sha1(data).hexdigest()  # noqa: S324 - as copy and stat do
        result.update(checksum=checksum, program_version=VERSION, python=python, compiled=bytecode is not None)
        for of_the_copy in ("src", "md5sum", "path"):
            result.pop(of_the_copy, None)
        # Copy would show the file itself; where that stays, its owner, group and mode.
        if "diff" in result and before["checksum"] != checksum:
            result["diff"] = {
                "before_header": dest,
                "after_header": dest,
                "before": "checksum %s\n" % before["checksum"] if before["exists"] else "",
                "after": "version %s, checksum %s\n" % (VERSION, checksum),
            }
        return result

    def _find_python(self, task_vars):
        """The Python that modules run on; the file's state was asked for, so it has been discovered."""
        variables = task_vars
        if self._task.delegate_to:
            variables = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        for python in (
            self._templar.template(variables.get("ansible_python_interpreter")),
            variables.get("ansible_facts", {}).get("discovered_interpreter_python"),
            self._discovered_interpreter,
        ):
            if python and str(python).startswith("/"):
                return str(python)
        return build.PYTHON

    def _compile(self, files, python):
        """The bytecode that the target's Python makes.

        :returns: what build.COMPILER gives; None in check mode where that Python is not there (yet).
        """
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        # Through a file: not all connections, and not all ways to become root, hand standard input on.
        sources = self._transfer_data(shell.join_path(shell.tmpdir, "sources"), build.compiler_input(files))
        self._fixup_perms2((shell.tmpdir, sources))
        # Nothing of the login's environment, and the same bytes each time: see build.compile_files().
        command = "env -i PYTHONHASHSEED=0 %s -sS -c %s <%s" % tuple(
            shell.quote(word) for word in (python, build.COMPILER, sources)
        )
        done = self._low_level_execute_command(command, chdir="/")
        if done["rc"] == 0:
            # A login may have printed something before.
            return json.loads(done["stdout_lines"][-1])
        if done["rc"] == _NOT_FOUND:
            if self._task.check_mode:
                self._display.warning("%s is not there yet: in check mode, a program for it counts as changed" % python)
                return None
            raise AnsibleActionFail(
                "there is no %s on the target, which shall run the program: install it, or name another with the "
                "option python" % python
            )
        said = (done["stderr"].strip() or done["stdout"].strip()).rpartition("\n")[2] or "exit code %d" % done["rc"]
        raise AnsibleActionFail(
            "%s cannot compile the program (%s): name a Python 3.6 or later with the option python" % (python, said)
        )

    def _copy(self, name, data, dest, options, task_vars):
        """What ansible.builtin.copy says, which writes beside the file and then renames."""
        folder = tempfile.mkdtemp(dir=constants.DEFAULT_LOCAL_TMP)
        try:
            source = os.path.join(folder, name)
            with open(source, "wb") as target:
                target.write(data)
            task = self._task.copy()
            task.args = {option: options[option] for option in _FILE_OPTIONS if options.get(option) is not None}
            task.args.update(src=source, dest=dest)
            action = self._shared_loader_obj.action_loader.get(
                "ansible.legacy.copy",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            return action.run(task_vars=task_vars)
        finally:
            shutil.rmtree(folder)
