# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people type, and what they get."""

import ast
import json
import shutil
import subprocess

from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

SECRET = "hunter2-\u00fc"


def test_scripts_of_the_field_run_unchanged(run, old_python, tmp_path):
    note = tmp_path / "hostinfo"
    run.folder.put_field_script("hostinfo", priority=40, targets=["configure", "cleanup"])
    run.folder.put_field_script("newapp", priority=70, targets=["configure", "reconfigure"])
    names = ["hostinfo", "newapp"]
    if old_python:
        run.folder.put_field_script("oldapp", old_python, priority=65)
        names.insert(1, "oldapp")
    given = {
        "com.example.hostinfo.file": str(note),
        "com.example.hostinfo.owner": "Jos\u00e9",
        "com.example.oldapp.admin": "eve",
        "com.example.oldapp.pin": SECRET,
        "com.example.newapp.name": "shop",
        "root-password": "other-secret",
    }
    code, report, err = run.report("--stdin", "configure", given=given)
    assert (code, err) == (0, "") and [script["name"] for script in report["scripts"]] == names
    assert note.read_text(encoding="utf-8") == "owner=Jos\u00e9\napp=shop\n"
    log = run.log.read_text(encoding="utf-8")
    assert "INFO    newapp: registering shop" in log and "newapp: by a command of its own" in log
    assert not old_python or "oldapp: setting up eve with ********" in log
    assert "hunter2" not in log and "other-secret" not in log
    assert run("--stdin", "cleanup", given=given)[0] == 0 and not note.exists()


def test_descriptions_as_json_and_for_people(run):
    described = [{"key": "a", "description": "\u00dcber: ", "required": True, "choices": ["x"]}]
    run.folder.add("two", priority=60)
    run.folder.add("one", described=described, priority=5)
    full = dict(described[0], hidden=False, password=False)
    code, out, err = run("--enumerate", "configure")
    assert (code, json.loads(out), err) == (0, [["5", "one", [full]], ["60", "two", []]], "")
    code, out, err = run("-e", "--human-readable", "configure")
    assert (code, err) == (0, "") and out.startswith("[('5',\n  'one',\n")
    assert run("-e", "-s", "two", "configure")[1] == '[["60", "two", []]]\n'
    assert run("-e", "cleanup") == (0, "[]\n", "")
    if "\u00dc" in out:
        assert ast.literal_eval(out) == [("5", "one", [full]), ("60", "two", [])]


def test_input_and_output_by_descriptor(run, tmp_path):
    run.folder.add("one", "parameters['b'] = parameters['a'] + '\u00fc'")
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text('{"a": "1", "c": "\\udcff"}')
    with source.open("rb") as reading, target.open("wb") as writing:
        more = dict(pass_fds=[reading.fileno(), writing.fileno()])
        code, out, err = run("-i", str(reading.fileno()), "--output=%d" % writing.fileno(), "configure", **more)
    assert (code, out, err) == (0, "", "") and json.loads(target.read_text()) == {
        "a": "1",
        "b": "1\u00fc",
        "c": "\udcff",
    }
    code, out, err = run("-o", "1", "configure")
    assert code == 1 and json.loads(out) == {} and "KeyError: 'a'" in err


def test_asked_for_on_the_console(run):
    described = [
        {"key": "x.name", "description": "Your name: ", "required": True},
        {"key": "x.hidden", "hidden": True, "required": False},
        {"key": "x.pin", "description": "PIN", "password": True},
    ]
    run.folder.add("one", described=described)
    code, out, err = run("--console-input", "-o", "1", "configure", given=b"\nEve\n1234\n1234\n")
    assert code == 0 and json.loads(out) == {"x.name": "Eve", "x.pin": "1234"}
    assert "Your name:" in err and "This is required." in err and "1234" not in err
    code, out, err = run("-c", "configure", given=b"")
    assert (code, out) == (3, "") and "the console's input ended before all was answered" in err


def test_taken_from_an_ovf_disc(run, tmp_path):
    run.folder.add("one")
    run.environment["OVM_OVF_DEVICES"] = "%s:%s" % (tmp_path / "none", tmp_path / "disc")
    code, out, err = run("--ovf-transport-iso", "configure")
    assert (code, out) == (3, "") and "no disc with an OVF environment (ovf-env.xml) is there" in err
    (tmp_path / "disc").mkdir()
    (tmp_path / "disc" / "ovf-env.xml").write_text(
        '<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1">'
        '<PropertySection><Property key="com.oracle.linux.root-password" value="x"/></PropertySection></Environment>'
    )
    code, out, err = run("--ovf-transport-iso", "-o", "1", "configure")
    assert (code, err) == (0, "") and json.loads(out) == {"com.oracle.linux.root-password": "x"}


def test_a_report_of_each_script(run):
    run.folder.add("one", "changed(False)", priority=5)
    run.folder.add("two", "raise ValueError('no')", priority=10)
    run.folder.add("three", priority=20)
    code, report, err = run.report("configure")
    assert code == 1 and err == "ovm-template-config: the script 'two' failed: ValueError: no\n"
    assert (report["target"], report["failed"], report["changed"]) == ("configure", ["two"], True)
    shown = [(s["priority"], s["name"], s["status"], s["changed"], s["message"]) for s in report["scripts"]]
    assert shown == [
        (5, "one", "ok", False, ""),
        (10, "two", "failed", None, "ValueError: no"),
        (20, "three", "ok", None, ""),
    ]
    assert all(0 < script["seconds"] < 60 for script in report["scripts"])


def test_only_one_script(run):
    run.folder.add("one", "parameters['one'] = ''")
    run.folder.add("two", "parameters['two'] = ''")
    assert run("--script", "two", "-o", "1", "configure")[1] == '{"two": ""}\n'
    code, out, err = run("-s", "three", "configure")
    assert code == 2 and not out and err.startswith("ovm-template-config: ") and "'three'" in err


def test_check_mode(run, tmp_path):
    note = tmp_path / "note"
    run.folder.add("one", "changed(True)", "print('would')", check=True)
    run.folder.add("two", "open('%s', 'w')" % note)
    code, report, _err = run.report("--check", "configure")
    assert code == 0 and [script["status"] for script in report["scripts"]] == ["ok", "skipped"] and not note.exists()


def test_options_of_the_log(run):
    run.folder.add("one", "print('hello')")
    assert run("--logformat", "%(name)s|%(levelname)s|%(message)s", "configure")[0] == 0
    assert "one|INFO|hello\n" in run.log.read_text() and run.log.stat().st_mode & 0o777 == 0o600
    run.log.unlink()
    assert run("--loglevel", "error", "configure")[0] == 0
    assert run.log.read_text() == ""


def test_keys_that_are_secrets_because_the_caller_says_so(run):
    run.folder.add("one", "print(sorted(parameters.values()))")
    given = {"a": "secret-a", "b": "secret-b", "c": "shown"}
    assert run("--stdin", "--secret", "a", "--secret=b", "configure", given=given)[0] == 0
    assert "['********', '********', 'shown']" in run.log.read_text()


def test_secrets_are_in_no_process_list(run, tmp_path):
    # While the script runs, it looks at all that can be seen of itself and of the program.
    run.folder.add(
        "one",
        "seen = []",
        "for process in (os.getpid(), os.getppid()):",
        "    for name in ('cmdline', 'environ'):",
        "        seen.append(open('/proc/%d/%s' % (process, name), 'rb').read().decode('utf-8', 'replace'))",
        "open('%s', 'w').write(repr(seen))" % (tmp_path / "seen"),
    )
    assert run("--stdin", "configure", given={"root-password": SECRET})[0] == 0
    seen = (tmp_path / "seen").read_text()
    assert "--stdin" in seen and "hunter2" not in seen


def test_a_target_without_scripts_is_done(run):
    assert run("suspend") == (0, "", "")
    code, report, _err = run.report("--stdin", "resume", given={"a": "1"})
    assert (code, report) == (0, {"target": "resume", "failed": [], "changed": False, "scripts": []})


def test_help_and_version(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "") and out.startswith("usage: ovm-template-config [options] TARGET\n")
    assert run("-h") == (code, out, err)
    assert run("--version") == (0, "ovm-template-config %s\n" % VERSION, "")
    assert not run.log.exists()


def test_it_is_found_and_run_like_any_command(programs, python, run, tmp_path):
    run.folder.add("one", "parameters['from'] = common.__file__")
    place = tmp_path / "a folder with blanks"
    place.mkdir()
    shutil.copy(programs(python), place / "ovm-template-config")
    for command, where in (("ovm-template-config", dict(PATH=str(place))), ("./ovm-template-config", {})):
        done = subprocess.run(
            [command, "--logfile", str(run.log), "-o", "1", "configure"],
            env=dict(run.environment, **where),
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert json.loads(done.stdout)["from"].startswith(str(place / "ovm-template-config") + "/")


def test_scripts_import_bytecode_where_the_program_has_theirs(programs, python, run, old_python):
    def imported():
        return json.loads(run("-o", "1", "-s", "one", "configure")[1])["from"]

    link = programs(python).read_bytes().split()[0][2:].decode()
    run.folder.add("one", "parameters['from'] = common.__file__", python=link)
    assert imported().endswith("/lib/templateconfig/common.pyc")
    if old_python:
        (run.folder.path / "configure.d" / "50one").unlink()
        run.folder.add("one", "parameters['from'] = common.__file__", python=old_python)
        assert imported() == str(programs(python)) + "/lib/templateconfig/common.py"
