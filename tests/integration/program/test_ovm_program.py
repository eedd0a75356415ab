# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_program, run by ansible-playbook on a target that is this machine."""

import hashlib
import json
import os
import stat
import subprocess
import sys
import zipfile

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils import program_module
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from ansible_collections.ovm.messaging.programs import build
from lab.programs import PYTHONS
from toolchain import ROOT

#: Seconds after which a playbook is taken to hang.
PATIENCE = 120
#: An interpreter that is not in a virtual environment, whose path may be too long for a first line.
PYTHON = os.path.realpath(sys.executable)


class Play:
    """Runs tasks of ovm_program in one ansible-playbook, going on after failures."""

    def __init__(self, folder):
        self.folder, self.output = folder, ""
        # Without a Python, unlike the implicit localhost.
        (folder / "inventory").write_text("target ansible_connection=local\n")

    def __call__(self, *tasks, environment=None, arguments=()):
        results = self.folder / "results.json"
        names = ["result%d" % n for n in range(len(tasks))]
        play = {
            "hosts": "target",
            "gather_facts": False,
            "tasks": [dict(task, register=name, ignore_errors=True) for name, task in zip(names, tasks)]
            + [
                {
                    "ansible.builtin.copy": {
                        "content": "{{ [%s] | to_json }}" % ", ".join(names),
                        "dest": str(results),
                        "mode": "0600",
                    },
                    "check_mode": False,
                    "diff": False,
                }
            ],
        }
        book = self.folder / "play.yml"
        book.write_text(json.dumps([play]))
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.folder / "inventory"), str(book), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=PATIENCE,
            encoding="utf-8",
            env=dict(os.environ, **environment or {}),
        )
        self.output = done.stdout
        assert done.returncode == 0, done.stdout
        found = json.loads(results.read_text())
        results.unlink()
        return found if len(found) > 1 else found[0]


@pytest.fixture
def play(tmp_path):
    return Play(tmp_path)


@pytest.fixture
def bin_folder(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def task(dest, check=False, diff=True, **options):
    options = dict({"name": "ovmd", "dest": str(dest), "python": PYTHON}, **options)
    return {"ovm.messaging.ovm_program": options, "check_mode": check, "diff": diff}


def changes(results):
    return [result["changed"] for result in results]


@pytest.mark.parametrize("pipelining", ["0", "1"])
def test_a_program_is_installed_once_as_check_mode_said_and_runs(play, bin_folder, tmp_path, pipelining):
    # What the login's environment or an earlier line of output says must not matter.
    environment = {"ANSIBLE_PIPELINING": pipelining, "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote")}
    results = play(
        task(bin_folder, check=True),
        task(bin_folder),
        task(bin_folder),
        task(bin_folder, check=True),
        environment=dict(environment, PYTHONOPTIMIZE="2", PYTHONHASHSEED="7"),
    )
    assert changes(results) == [True, True, False, False]
    program = bin_folder / "ovmd"
    for result in results:
        assert (result["dest"], result["python"], result["compiled"]) == (str(program), PYTHON, True)
        assert result["program_version"] == VERSION and result["checksum"] == results[0]["checksum"]
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    done = subprocess.run([program, "-v"], capture_output=True, text=True, check=True)
    assert done.stdout == "ovmd %s\n" % VERSION
    built, _written = build.build("ovmd", tmp_path / "built", PYTHON, [PYTHON])
    assert program.read_bytes() == built.read_bytes()
    assert os.listdir(bin_folder) == ["ovmd"] and os.listdir(tmp_path / "remote") == []


def test_the_diff_tells_version_and_checksum_and_shows_no_content(play, bin_folder):
    program = bin_folder / "ovmd"
    program.write_text("an old program\n")
    program.chmod(0o755)
    with program.open() as running:
        first, mode, check, again = play(
            task(program),
            task(program, mode="0700"),
            task(program, mode="0755", check=True),
            task(program, mode="0700"),
        )
        assert running.read() == "an old program\n"  # who runs the old one keeps it
    assert first["diff"][0]["before"] == "checksum 551457838e8ceffad882ca5bcbb2d908f596f920\n"
    assert first["diff"][0]["after"] == "version %s, checksum %s\n" % (VERSION, first["checksum"])
    assert "old program" not in play.output and "_start" not in play.output
    assert changes([first, mode, check, again]) == [True, True, True, False]
    assert mode["diff"][0]["before"]["mode"] == "0755" and mode["diff"][0]["after"]["mode"] == "0700"
    assert again["diff"] == []
    assert stat.S_IMODE(program.stat().st_mode) == 0o700


def test_several_are_installed_at_once_as_they_would_be_alone(play, bin_folder, tmp_path):
    names = ["ovmd", "ovm-template-config", "ovm_vmmessage", "ovmd"]
    (bin_folder / "ovm_vmmessage").write_text("an old program\n")
    check, first, second, alone, removed = play(
        task(bin_folder, name=names, check=True),
        task(bin_folder, name=names),
        task(bin_folder, name=names, diff=False),
        task(bin_folder, name="ovm-template-config", check=True),
        task(bin_folder, name=names, state="absent", diff=False),
    )
    assert set(removed["programs"][0]) == {"name", "dest", "changed"} and "diff" not in removed
    assert changes([check, first, second, alone, removed]) == [True, True, False, False, True]
    for result in (check, first, second):
        assert [program["name"] for program in result["programs"]] == names[:3]
        assert [program["dest"] for program in result["programs"]] == [str(bin_folder / name) for name in names[:3]]
        assert set(result["programs"][0]) == {"name", "dest", "changed", "checksum"}
        assert "dest" not in result and "checksum" not in result
    assert check["programs"] == first["programs"]
    assert [part["after_header"] for part in first["diff"]] == [str(bin_folder / name) for name in names[:3]]
    assert alone["checksum"] == first["programs"][1]["checksum"]
    assert changes(second["programs"]) == [False] * 3 and changes(removed["programs"]) == [True] * 3
    assert os.listdir(bin_folder) == []


def test_where_one_cannot_be_made_none_is_replaced(play, bin_folder):
    (bin_folder / "ovmd").mkdir()
    names = ["ovm-chkconfig", "ovmd"]
    occupied, unknown, one_file = play(
        task(bin_folder, name=names),
        task(bin_folder, name=["ovm-chkconfig", "nope"]),
        task(bin_folder / "both", name=names),
    )
    assert occupied["failed"] and "ovmd is a directory, where" in occupied["msg"]
    assert unknown["failed"] and "there is no program 'nope'" in unknown["msg"]
    assert one_file["failed"] and "both cannot be the file of several programs: end it with a slash" in one_file["msg"]
    assert os.listdir(bin_folder) == ["ovmd"]


def test_a_link_gives_way_to_the_program_and_one_to_a_directory_is_followed(play, bin_folder, tmp_path):
    (tmp_path / "elsewhere").write_text("of somebody else\n")
    (bin_folder / "ovmd").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(bin_folder)
    check, first, second = play(*(task(tmp_path / "link", check=check) for check in (True, False, False)))
    assert changes([check, first, second]) == [True, True, False]
    assert not (bin_folder / "ovmd").is_symlink() and (tmp_path / "elsewhere").read_text() == "of somebody else\n"
    assert (tmp_path / "link").is_symlink()


def test_the_old_python_of_a_target_makes_the_same_program(bin_folder, tmp_path):
    """All that there are here; ansible-core of the tests may want a newer one, so the module runs alone."""
    sources = tmp_path / "sources"
    sources.write_bytes(program_module.pack({"ovmd": (build.collect("ovmd"), False, {})}))
    code = (
        "import hashlib, os, types; "
        "from ansible_collections.ovm.messaging.plugins.module_utils import program_module as glue; "
        "module = types.SimpleNamespace(check_mode=False, _diff=False, tmpdir=%r, params=dict(name=['ovmd'], dest=%r, "
        "state='present', python=%r, compile=True, completions=None, mode='0755', unsafe_writes=False, _sources=%r)); "
        "module.sha1 = lambda path: hashlib.sha1(open(path, 'rb').read()).hexdigest(); "
        "module.atomic_move = lambda there, dest, unsafe_writes: os.rename(there, dest); "
        "module.load_file_common_arguments = lambda params, path: None; "
        "module.set_fs_attributes_if_different = lambda arguments, changed, diff: changed; "
        "module.fail_json = print; module.exit_json = lambda **result: print(result['changed'], result['checksum']); "
        "glue.run(module); glue.run(module); module.params['state'] = 'absent'; "
        "module.exit_json = lambda **result: print(result['changed']); glue.run(module)"
    ) % (str(tmp_path), str(bin_folder / "ovmd"), PYTHON, str(sources))
    expected = hashlib.sha1(build.build("ovmd", tmp_path / "built", PYTHON, [PYTHON])[0].read_bytes()).hexdigest()
    for python in PYTHONS.values():
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.stdout, done.stderr) == ("True %s\nFalse %s\nTrue\n" % (expected, expected), ""), python


def test_without_bytecode_it_is_the_same_for_all_pythons(play, bin_folder, tmp_path):
    result = play(task(bin_folder / "other-name", python="/no/python", compile=False))
    assert result["changed"] and not result["compiled"]
    built, _written = build.build("ovmd", tmp_path / "built", "/no/python")
    assert (bin_folder / "other-name").read_bytes() == built.read_bytes()


def test_the_python_that_modules_run_on_is_the_default(play, bin_folder):
    discovered, given = (
        dict(task(bin_folder / name, compile=False), vars=variables)
        for name, variables in (
            ("discovered", {}),
            ("given", {"ansible_python_interpreter": "{{ '%s' }}" % PYTHON}),
        )
    )
    for one in (discovered, given):
        del one["ovm.messaging.ovm_program"]["python"]
    results = play(discovered, given)
    assert results[1]["python"] == PYTHON
    assert results[0]["python"].startswith("/") and os.access(results[0]["python"], os.X_OK)
    for result in results:
        with open(result["dest"], "rb") as stream:
            assert stream.readline().startswith(b"#!%s -IS" % result["python"].encode())


@pytest.mark.parametrize("debian", [True, False])
def test_completions_come_and_go_with_the_program(play, bin_folder, tmp_path, debian):
    share, zsh = tmp_path / "usr" / "share", "vendor-completions" if debian else "site-functions"
    if debian:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc" / "debian_version").write_text("12\n")
    both = dict(name=["ovmd", "ovm-chkconfig"], completions=str(share))
    here = str(bin_folder) + "/"
    without, check, installed, again, removed, gone = play(
        task(here, name=["ovmd", "ovm-chkconfig"]),
        task(here, check=True, **both),
        task(here, **both),
        task(here, **both),
        {"ansible.builtin.command": {"cmd": "find %s -type f -printf '%%P %%m\\n'" % share}},
        task(here, state="absent", **both),
    )
    assert changes([without, check, installed, again, gone]) == [True, True, True, False, True]
    assert sorted(removed["stdout_lines"]) == sorted(
        "%s 644" % path
        for name in both["name"]
        for path in (
            "bash-completion/completions/%s" % name,
            "fish/vendor_completions.d/%s.fish" % name,
            "zsh/%s/_%s" % (zsh, name),
        )
    )
    # They say so beforehand, and show what will be where.
    assert check["programs"] == installed["programs"]
    assert [diff["after_header"] for diff in installed["diff"]] == [
        path for program in installed["programs"] for path in program["completions"]
    ]
    assert [path for path in share.rglob("*") if path.is_file()] == [] and os.listdir(bin_folder) == []


def test_removing_is_idempotent(play, bin_folder):
    installed, check, removed, again = play(
        task(bin_folder),
        task(bin_folder, state="absent", check=True),
        task(bin_folder, state="absent"),
        task(bin_folder, state="absent"),
    )
    assert changes([installed, check, removed, again]) == [True, True, True, False]
    assert os.listdir(bin_folder) == [] and removed["dest"] == str(bin_folder / "ovmd")


def test_in_check_mode_a_python_may_be_about_to_come(play, bin_folder):
    check, real = play(task(bin_folder, python="/no/python", check=True), task(bin_folder, python="/no/python"))
    assert check["changed"] and not check["compiled"] and "/no/python is not there yet" in play.output
    assert real["failed"] and os.listdir(bin_folder) == []


BAD = [
    ({"name": "nope"}, "there is no program 'nope'; there are: "),
    ({"name": "../programs/ovmd"}, "there is no program '../programs/ovmd'; there are: "),
    ({"python": "/no/python"}, "there is no /no/python on the target, which shall run the program: install it, or"),
    ({"python": "/bin/false"}, "/bin/false cannot compile the program (exit code 1): name a Python 3.6 or later"),
    ({"python": "python3"}, "'python3' cannot be a program's Python: give an absolute path without blanks, of at most"),
    ({"dest": "/no/folder/ovmd"}, "/no/folder"),
    ({"mode": "wild"}, "mode must be in octal or symbolic form"),
    ({"state": "latest"}, "value of state must be one of: present, absent, got: latest"),
    ({"nmae": "ovmd"}, "nmae"),
]


def test_bad_input_is_told_clearly_and_changes_nothing(play, bin_folder):
    (bin_folder / "folder" / "ovmd").mkdir(parents=True)
    occupied = {"dest": str(bin_folder / "folder")}
    # The second must not take a folder for a program to be removed.
    bad = [*BAD, *((dict(occupied, state=state), "ovmd is a directory, where") for state in ("present", "absent"))]
    results = play(*[task(**dict({"dest": bin_folder}, **options)) for options, _says in bad])
    for result, (options, says) in zip(results, bad):
        assert result["failed"] and says in result["msg"], (options, result)
        assert "Traceback" not in json.dumps(result)
    # The file gets its mode last.
    assert set(os.listdir(bin_folder)) <= {"folder", "ovmd"} and os.listdir(bin_folder / "folder" / "ovmd") == []


def test_a_program_with_libraries_is_installed_for_a_python_that_has_them(play, bin_folder):
    result = play(task(bin_folder, name="ovm_vmmessage"))
    assert result["changed"], result
    with open(result["dest"], "rb") as stream:
        assert stream.readline().startswith(b"#!%s -Ic" % PYTHON.encode())
    assert "requirements.txt" not in zipfile.ZipFile(result["dest"]).namelist()


def test_the_documented_programs_are_those_that_there_are():
    source = (ROOT / "plugins" / "modules" / "ovm_program.py").read_text()
    documentation = yaml.safe_load(source.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])
    assert sorted(documentation["options"]["name"]["choices"]) == sorted(build.names())
    assert sorted(program_module.PROGRAMS) == sorted(build.names())
