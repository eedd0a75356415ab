# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm-chkconfig for a system that does not run: from outside with --root, and from inside in a chroot."""

import subprocess
import tempfile

import pytest

DONE = (0, "", "")
# The whole system appears once more, with the image's /etc; in namespaces of the test's own, so no root is needed.
CHROOT = 'mount --rbind / "$1" && mount --bind "$2/etc" "$1/etc" && %s shift 2 && exec chroot "$root" "$@"'
READ_ONLY = 'mount --bind "$2/etc" "$1/etc" && mount -o remount,ro,bind "$1/etc" &&'


def _enter(view, image, more=""):
    """What to put before a command, to have it run in a chroot."""
    return ["unshare", "-rm", "sh", "-c", "root=$1; " + CHROOT % more, "sh", str(view), str(image)]


def _ways():
    """From outside; from inside too, where this machine has namespaces for everybody, or for root."""
    with tempfile.TemporaryDirectory() as view:
        probe = ["unshare", "-rm", "sh", "-c", 'mount --rbind / "$1" && chroot "$1" true', "sh", view]
        try:
            inside = subprocess.run(probe, capture_output=True, check=False, timeout=60).returncode == 0
        except OSError:
            inside = False
    return ["outside"] + ["inside"] * inside


WAYS = _ways()


@pytest.fixture
def view(tmp_path):
    """Where the whole system appears once more, for those inside."""
    path = tmp_path / "view"
    path.mkdir()
    return path


@pytest.fixture
def image(chkconfig, tmp_path):
    """The image: chkconfig puts scripts to where it has them."""
    chkconfig.folder = tmp_path / "image/etc/template.d"
    chkconfig.environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    chkconfig.put("network", "configure: 50", "cleanup: 40")
    return tmp_path / "image"


@pytest.mark.parametrize("way", WAYS)
def test_it_works_on_an_image(chkconfig, image, view, way):
    def run(*arguments):
        if way == "inside":
            return chkconfig(*arguments, prefix=_enter(view, image))
        return chkconfig("--root", str(image), *arguments)

    assert run("--add", "network") == DONE
    assert chkconfig.links() == {
        "cleanup.d/40network": "../scripts/network",
        "configure.d/50network": "../scripts/network",
    }
    code, out, err = run("--list")
    assert (code, err) == (0, "") and out.splitlines()[1].split()[:2] == ["network", "on:50"]
    assert run("--target=cleanup", "network", "off") == DONE and run("--del", "network") == DONE
    assert chkconfig.links() == {}
    code, out, err = run("--add", "missing")
    where = "" if way == "inside" else image
    said = "ovm-chkconfig: there is no script 'missing': it would be %s/etc/template.d/scripts/missing\n" % where
    assert (code, out, err) == (1, "", said)


@pytest.mark.parametrize("way", WAYS)
def test_absolute_links_of_an_image_stay_in_it(chkconfig, image, view, way):
    """An image may have its directory elsewhere; from outside, that is not this machine's."""
    (image / "etc/elsewhere").mkdir()
    chkconfig.folder.rename(image / "etc/elsewhere/template.d")
    chkconfig.folder.symlink_to("/etc/elsewhere/template.d")
    if way == "inside":
        assert chkconfig("--add", "network", prefix=_enter(view, image)) == DONE
    else:
        assert chkconfig("--root", str(image), "--add", "network") == DONE
    assert (image / "etc/elsewhere/template.d/configure.d/50network").is_symlink()


@pytest.mark.parametrize("way", [way for way in WAYS if way == "inside"] or ["unmounted"])
def test_a_read_only_image_is_told(chkconfig, image, view, way):
    if way == "unmounted":  # nothing can be mounted here: what is not there cannot be changed, either
        assert chkconfig("--root", str(view), "--add", "network")[0] == 1
        return
    code, out, err = chkconfig("--add", "network", prefix=_enter(view, image, READ_ONLY))
    assert (code, out) == (3, "") and err.startswith(
        "ovm-chkconfig: the links in /etc/template.d/configure.d cannot be "
    )
    assert err.endswith("(Read-only file system): its file system is mounted read-only\n")
    assert chkconfig("--list", prefix=_enter(view, image, READ_ONLY))[0] == 0
    assert chkconfig.links() == {}
