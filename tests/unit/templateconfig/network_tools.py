# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for the tools of networks and firewalls, copied to files of their names, as tools.py is.

Those that would touch a network only note that they were called. netplan works on the files of the test's system.
"""

import glob
import json
import os
import re
import sys

FOLDER = os.environ["FAKE"]
ROOT = os.path.join(FOLDER, "root")
NAME = os.path.basename(sys.argv[0])


def fail(code, complaint):
    sys.stderr.write("%s: %s\n" % (NAME, complaint))
    sys.exit(code)


def write(name, text):
    os.makedirs(os.path.dirname(os.path.join(ROOT, name)), exist_ok=True)
    with open(os.path.join(ROOT, name), "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def netplan(words):
    """get, set and generate, of files that are written as netplan writes them itself."""
    if words[0] == "generate" and "--root-dir" in words:
        texts = [read(path) for path in glob.glob(words[-1] + "/etc/netplan/*.yaml")]
        assert texts, words
        if os.path.exists(FOLDER + "/netplan-is-old") and "activation-mode" in "".join(texts):
            fail(1, "unknown key 'activation-mode'")
    elif words[0] in ("get", "set"):
        paths = sorted(glob.glob(ROOT + "/etc/netplan/*.yaml"))
        if words[1:-1] != ["--root-dir", ROOT]:
            fail(2, "not told the root")
        if words[0] == "set":
            gone = re.fullmatch(r"network\.ethernets\.(.*)=null", words[-1]).group(1).replace("\\.", ".")
            for path in paths:
                text = re.sub(r'    "?%s"?:\n(      .*\n)*' % re.escape(gone), "", read(path))
                write(os.path.relpath(path, ROOT), text)
        else:
            renderers = [line for path in paths for line in re.findall(r"  renderer: .*\n", read(path))]
            parts = [read(path).partition("  ethernets:\n")[2] for path in paths]
            print("network:\n  version: 2\n%s  ethernets:\n%s" % ("".join(renderers), "".join(parts)))


def hostname(words):
    write("proc/sys/kernel/hostname", words[0] + "\n")


def hostnamectl(words):
    assert words[0] == "set-hostname", words
    write("etc/hostname", words[1] + "\n")
    hostname(words[1:])


def ufw(words):
    settings = os.path.join(ROOT, "etc/ufw/ufw.conf")
    if words[0] == "allow":
        write("etc/ufw/user.rules", "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n")
    else:
        write("etc/ufw/ufw.conf", "ENABLED=%s\n" % ("no" if words == ["disable"] else "yes") + read(settings)[11:])


def udevadm(words):
    # The driver has been loaded by now.
    write("sys/class/net/eth9/address", "00:16:3e:00:00:09\n")


def main():
    words = sys.argv[1:]
    reading = NAME == "udevadm" or words[:1] in (["get"], ["--state"]) or "--root-dir" in words and words[0] != "set"
    if not reading:
        with open(os.path.join(FOLDER, "calls"), "a") as calls:
            calls.write(json.dumps([NAME] + words) + "\n")
    failure = os.path.join(FOLDER, NAME + ".fail")
    if os.path.exists(failure):
        fail(*json.loads(read(failure)))
    if NAME in globals():
        globals()[NAME](words)


main()
