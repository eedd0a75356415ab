# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real bash, fish and zsh complete the programs' command lines, from where ovm_program puts the files."""

import glob
import os
import pty
import re
import select
import shlex
import subprocess
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.program_module import COMPLETIONS
from ansible_collections.ovm.messaging.programs import build
from lab import parts

#: Seconds that no shell may take.
PATIENCE = 60


@pytest.fixture(scope="module")
def root():
    """The folder with the shells."""
    return parts.shells()


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    """A folder like /usr/share with the completions, as on Debian."""
    folder = tmp_path_factory.mktemp("share")
    for name in build.names():
        for shell, data in build.completions(name).items():
            path = folder / (COMPLETIONS[shell][0] % name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def environment(root, share, tmp_path_factory):
    """What shells run in, with stand-ins for what completions ask, which print what the programs print."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "bin").mkdir()
    (folder / "scripts").mkdir()
    for name in ("network", "ssh", "odd$(touch evil)"):
        (folder / "scripts" / name).touch()
    parameters = """'{"app.state":"ready"}' '{"app.secret":"hidden"}' '{"$(touch evil)":""}'"""
    programs = {
        "ovmd": """[ "$*" = -l ] && printf '%s\\n' """ + parameters,
        "ovm-gateway": """[ "$*" = "user list" ] && printf '%s\\n' admin operator""",
    }
    # fish completes nothing but what there is.
    for name in build.names():
        (folder / "bin" / name).write_text("#!/bin/sh\n%s\n" % programs.get(name, ""))
        (folder / "bin" / name).chmod(0o755)
    (folder / "certificate.pem").touch()
    libraries = ":".join(
        glob.glob(os.path.join(root, "usr/lib/*-linux-gnu")) + glob.glob(os.path.join(root, "lib/*-linux-gnu"))
    )
    return {
        "HOME": str(folder),
        "PATH": "%s:/usr/bin:/bin" % (folder / "bin"),
        "LD_LIBRARY_PATH": libraries,
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "OVM_TEMPLATE_DIR": str(folder),
        "XDG_DATA_DIRS": "%s:%s" % (share, os.path.join(root, "usr/share")),
    }


def run(command, environment, script):
    done = subprocess.run(
        command, input=script, env=environment, cwd=environment["HOME"], capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def bash(root, share, environment, line):
    # As readline parts it: = is a word of its own.
    found = [word for part in line.split(" ") for word in re.split("(=)", part) if word or not part]
    script = "\n".join(
        [
            "source %s/usr/share/bash-completion/bash_completion" % shlex.quote(root),
            "_completion_loader %s; [ $? = 124 ] || exit 1" % found[0],
            "COMP_WORDS=(%s); COMP_CWORD=%d" % (" ".join(map(shlex.quote, found)), len(found) - 1),
            "function=$(complete -p %s); function=${function##*-F }; ${function%%%% *} %s" % (found[0], found[0]),
            "printf '%s\\n' \"${COMPREPLY[@]}\"",
        ]
    )
    out, error = run(["bash", "--norc"], environment, script)
    assert error == ""
    return out.split()


def fish(root, share, environment, line):
    data = os.path.join(root, "usr/share/fish")
    script = "\n".join(
        [
            # What a fish finds that is installed.
            "set -g fish_function_path %s/functions" % data,
            "set -g fish_complete_path %s/fish/vendor_completions.d" % share,
            "complete -C %s" % shlex.quote(line),
        ]
    )
    out, _error = run([os.path.join(root, "usr/bin/fish"), "--no-config"], environment, script)
    last = line.rpartition(" ")[2]
    start = last.partition("=")[0] + "=" if "=" in last else ""
    return [found.split("\t")[0].removeprefix(start) for found in out.splitlines()]


def zsh(root, share, environment, line):
    """In a terminal: zsh completes nowhere else."""
    (modules,) = glob.glob(os.path.join(root, "usr/lib/*/zsh/*.*"))
    functions = [
        path for part in ("*", "*/*") for path in glob.glob(os.path.join(root, "usr/share/zsh/functions", part))
    ]
    functions = [path for path in functions if os.path.isdir(path)]
    (vendor,) = glob.glob(os.path.join(share, "zsh", "*"))
    # All that would be offered, a line each, instead of a list for people.
    script = r"""
PS1= PS2= RPS1=
module_path=(%s) fpath=(%s)
zmodload zsh/zle zsh/complete zsh/zutil zsh/parameter
setopt zle nobeep
autoload -Uz compinit && compinit -u -D
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a offered
  builtin compadd -A offered "$@"
  (( $#offered )) && print -l -- "<"${^offered}">"
  builtin compadd "$@"
}
zle -C offer complete-word _generic
bindkey '^T' offer
""" % (" ".join([os.path.dirname(os.path.dirname(modules)), modules]), " ".join([vendor, *functions]))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(environment["HOME"])
        os.execve(glob.glob(os.path.join(root, "*bin/zsh"))[0], ["zsh", "-f", "-i", "-o", "nozle"], environment)
    try:
        source = os.path.join(environment["HOME"], "setup.zsh")
        with open(source, "w", encoding="utf-8") as stream:
            stream.write(script)
        # Which is when its line editor is ready to be typed at.
        _until(terminal, "source %s\n" % source, "\x1b[?2004h")
        shown = _until(terminal, line + "\x14" + "\x15print -r end'-of-'it\n", "end-of-it\r")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    last = line.rpartition(" ")[2].rpartition("=")[2]
    return [word.rstrip("=") for word in re.findall(r"<([^>\r\n]*)>", shown) if word.startswith(last)]


def _until(terminal, typed, mark):
    os.write(terminal, typed.encode())
    shown, deadline = "", time.monotonic() + PATIENCE
    while mark not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536).decode("utf-8", "replace")
    return shown


CASES = [
    ("ovmd --pi", {"--pid-file"}),
    ("ovmd -d ", {"0", "1", "2"}),
    ("ovmd -s c", {"configure", "cleanup"}),
    ("ovmd -g ", {"app.state", "app.secret"}),
    ("ovmd --pid-file=cert", {"certificate.pem"}),
    ("ovm-template-config c", {"configure", "cleanup"}),
    ("ovm-template-config --loglevel W", {"WARNING"}),
    ("ovm-template-config -s n", {"network"}),
    ("ovm-template-config cleanup ", set()),
    ("ovm-chkconfig --add s", {"ssh"}),
    ("ovm-chkconfig s", {"ssh"}),
    ("ovm-chkconfig --target=cleanup ssh o", {"on", "off"}),
    ("ovm-gateway ", {"serve", "check", "certificate", "user"}),
    ("ovm-gateway user r", {"remove"}),
    ("ovm-gateway --config cert user remove ", {"admin", "operator"}),
    ("ovm-gateway user add ", set()),
    ("ovm_vmmessage --c", {"--ca-file", "--client-cert", "--client-key"}),
    ("ovm_vmmessage --ca-file cert", {"certificate.pem"}),
    ("ovm_vmmessage -p ", set()),
]


@pytest.mark.parametrize(("line", "offered"), CASES, ids=[line for line, _offered in CASES])
@pytest.mark.parametrize("shell", [bash, fish, zsh], ids=lambda shell: shell.__name__)
def test_what_is_offered(shell, line, offered, root, share, environment):
    assert set(shell(root, share, environment, line)) == offered
    assert not os.path.exists(os.path.join(environment["HOME"], "evil"))


def test_zsh_looks_where_the_files_are_put(root, environment):
    """Debian's own: that other systems' look into site-functions is zsh's default."""
    zsh_itself = glob.glob(os.path.join(root, "*bin/zsh"))[0]
    out, _error = run([zsh_itself, "-f", "-c", "print -l $fpath"], environment, "")
    assert "/usr/share/" + os.path.dirname(COMPLETIONS["zsh"][0]) in out.splitlines()


def test_a_guest_without_anything_offers_nothing_and_says_nothing(root, share, environment):
    bare = dict(environment, PATH="/usr/bin:/bin", OVM_TEMPLATE_DIR="/nowhere")
    for line in ("ovmd -g ", "ovm-chkconfig ", "ovm-gateway user check "):
        assert bash(root, share, bare, line) == []
