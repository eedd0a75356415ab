# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit what the project depends on.

Each dependency has a range and a reason. What pip would install of them today is told with its hash. No release of it
is withdrawn, and none has a known vulnerability. The last question goes to pip-audit, which asks a service; or to a
copy of the advisories, in OSV's format, that OVM_ADVISORIES names.

usage: tests/bootstrap python -m toolchain.audit [--python X.Y.Z] [--wheelhouse FOLDER] [SET...]
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections import namedtuple

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from toolchain import CACHE, ROOT

PLACE = CACHE / "audit"
#: Where pip-audit asks, one after the other until one answers.
SERVICES = ("osv", "pypi")
#: What stands for ranges and reasons that stand elsewhere: a test of tests/unit holds these lists to their homes.
COPIES = ("tests/unit/requirements.txt", "tests/integration/requirements.txt")
_OWN = "tests/requirements-audit.txt"

Declared = namedtuple("Declared", ("where", "requirement", "reason"))
Declared.__doc__ = """A dependency, as a list of requirements has it.

:ivar str where: file and line.
:ivar Requirement requirement: with its range.
:ivar str reason: the comment above it, or nothing.
"""
Package = namedtuple("Package", ("name", "version", "sha256", "yanked"))
Package.__doc__ = """A release that pip would install.

:ivar str yanked: why it was withdrawn; None if it was not.
"""
Advisory = namedtuple("Advisory", ("package", "version", "names", "fixed"))
Advisory.__doc__ = """A known vulnerability of a release.

:ivar names: what it is called, the best known first.
:ivar fixed: releases without it.
"""


class AuditError(Exception):
    """Something cannot be looked at, and why."""


# --- what is declared -------------------------------------------------------------------


def lists():
    """All lists of requirements, by name.

    :rtype: dict of str to pathlib.Path
    """
    found = sorted([*ROOT.glob("programs/*/requirements.txt"), *ROOT.glob("tests/requirements*.txt")])
    return {_name(path): path for path in found}


def _name(path):
    if path.parent.name != "tests":
        return path.parent.name
    return path.stem.partition("-")[2] or "tests"


def declared(path):
    """The dependencies of one list, without those of other lists that it names.

    :param pathlib.Path path: the list.
    :rtype: list of Declared
    """
    found, reason, used = [], [], False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.strip()
        if text.startswith("#"):
            # A comment holds for all that follows it at once.
            reason, used = ([] if used else reason) + [text.lstrip("# ")], False
        elif not text:
            reason, used = [], False
        else:
            used = True
            if not text.startswith("-"):
                place = "%s:%d" % (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path, number)
                found.append(Declared(place, Requirement(text), " ".join(reason)))
    return found


def declaration_faults(path):
    """What dependencies of a list lack.

    :returns: a sentence each.
    """
    for one in declared(path):
        operators = {specifier.operator for specifier in one.requirement.specifier}
        if not operators & {"==", "==="} and not (operators & {">=", "~=", ">"} and operators & {"<", "<=", "~="}):
            yield "%s: %s has no range: give it a lower and an upper bound, as >=1.2,<2" % one[:2]
        if not one.reason:
            yield "%s: %s has no reason: put a comment above it that says what it is for" % one[:2]


# --- what would be installed ------------------------------------------------------------


def resolved(path, python=None):
    """What pip would install for a list today, and all that this wants in turn.

    :param str python: a version such as ``3.9.2``, if not that of the toolchain.
    :rtype: list of Package
    :raises AuditError: pip finds no releases that fit together, or no index.
    """
    command = [sys.executable, "-m", "pip", "--no-input", "--quiet", "install", "--dry-run", "--ignore-installed"]
    command += ["--report=-", "--requirement=" + str(path)]
    if python:
        command += ["--python-version=" + python, "--only-binary=:all:", "--target=" + str(PLACE / "nothing")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AuditError("pip finds nothing to install for %s: %s" % (path.name, _last_line(done.stderr)))
    return sorted(_package(entry) for entry in json.loads(done.stdout)["install"])


def _package(entry):
    hashes = entry["download_info"].get("archive_info", {}).get("hashes", {})
    yanked = entry.get("is_yanked") and (entry.get("yanked_reason") or "no reason is given")
    name = canonicalize_name(entry["metadata"]["name"])
    return Package(name, entry["metadata"]["version"], hashes.get("sha256"), yanked or None)


def write_lock(path, packages):
    """Write down exactly these releases, with their hashes, for ``pip install --require-hashes``."""
    lines = ["%s==%s --hash=sha256:%s" % package[:3] for package in packages if package.sha256]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), "utf-8")


def wheelhouse_faults(folder, packages):
    """Where a folder of wheels is not what the index has.

    :param pathlib.Path folder: the wheels.
    :param packages: what pip would install from the index.
    :returns: a sentence each.
    """
    wanted = {(package.name, package.version): package.sha256 for package in packages}
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        yield "%s has no wheels: fill it with pip download" % folder
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        expected = wanted.get((canonicalize_name(name), version))
        if expected is None:
            yield "%s: the index has pip take another release: fill the folder anew" % wheel.name
        elif hashlib.sha256(wheel.read_bytes()).hexdigest() != expected:
            yield "%s: its contents are not what the index has for this Python: see --python" % wheel.name


# --- known vulnerabilities --------------------------------------------------------------


def advisories_of_folder(folder, packages):
    """Look into a copy of advisories in OSV's format, as of the Python Packaging Advisory Database.

    :param pathlib.Path folder: YAML or JSON files, anywhere below.
    :rtype: list of Advisory
    :raises AuditError: it has no advisories.
    """
    by_name = {}
    for package in packages:
        by_name.setdefault(package.name, []).append(package)
    found, read = [], 0
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".json", ".yaml", ".yml"):
            continue
        # By the C parser: there are thousands.
        record = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if not isinstance(record, dict) or not isinstance(record.get("affected"), list):
            continue
        read += 1
        if record.get("withdrawn"):
            continue
        for affected in record["affected"]:
            name = canonicalize_name(affected.get("package", {}).get("name", ""))
            if affected.get("package", {}).get("ecosystem") == "PyPI":
                found += [_advisory(record, affected, one) for one in by_name.get(name, ()) if _hits(affected, one)]
    if not read:
        raise AuditError("%s has no advisories in OSV's format: it is to be a copy of such a database" % folder)
    return sorted(set(found))


def _advisory(record, affected, package):
    names = sorted({record["id"], *record.get("aliases", ())}, key=lambda name: (not name.startswith("CVE-"), name))
    fixed = [event["fixed"] for one in _ranges(affected) for event in one if "fixed" in event]
    return Advisory(package.name, package.version, tuple(names), tuple(fixed))


def _ranges(affected):
    # Those of kind GIT are about commits.
    return [one.get("events", ()) for one in affected.get("ranges", ()) if one.get("type") in ("ECOSYSTEM", "SEMVER")]


def _hits(affected, package):
    version = Version(package.version)
    if any(_version(named) == version for named in affected.get("versions", ())):
        return True
    for events in _ranges(affected):
        inside = False
        changes = [(_version(text), kind) for event in events for kind, text in event.items()]
        for limit, kind in sorted(change for change in changes if change[0] is not None):
            if kind == "introduced" and version >= limit:
                inside = True
            elif (kind == "fixed" and version >= limit) or (kind == "last_affected" and version > limit):
                inside = False
        if inside:
            return True
    return False


def _version(text):
    try:
        return Version(str(text))
    except InvalidVersion:
        return None


def advisories_of_service(lock, service):
    """Have pip-audit ask a service.

    :param pathlib.Path lock: what write_lock has written.
    :param str service: one of SERVICES.
    :rtype: list of Advisory
    :raises AuditError: it does not answer, or not for all.
    """
    command = [str(_pip_audit()), "--requirement", str(lock), "--no-deps", "--disable-pip", "--format=json"]
    command += ["--vulnerability-service", service, "--progress-spinner=off", "--desc=off", "--aliases=on"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer_of_service(service, done.stdout, done.stderr)


def answer_of_service(service, output, errors):
    """Read what pip-audit has written.

    :param str output: its JSON.
    :param str errors: what else it said.
    :rtype: list of Advisory
    :raises AuditError: the service did not answer, or not for all.
    """
    try:
        dependencies = json.loads(output)["dependencies"]
    except (ValueError, KeyError) as problem:
        raise AuditError("%s: %s" % (service, _last_line(errors))) from problem
    # pip-audit calls it a success if the service knows none of the packages.
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    if skipped:
        raise AuditError("%s does not know %d of %d packages" % (service, len(skipped), len(dependencies)))
    return sorted(
        Advisory(one["name"], one["version"], (found["id"], *found["aliases"]), tuple(found["fix_versions"]))
        for one in dependencies
        for found in one["vulns"]
    )


def _pip_audit():
    """The path of pip-audit, installed where it is not there yet."""
    venv, mark = PLACE / "venv", PLACE / "venv" / "ready"
    state = hashlib.sha256(repr((sys.version, (ROOT / _OWN).read_text())).encode()).hexdigest()
    if not mark.exists() or mark.read_text() != state:
        print("make audit: installing %s into %s" % (_OWN, venv), file=sys.stderr, flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        install = [sys.executable, "-m", "pip", "--no-input", "--quiet", "--python", str(venv / "bin" / "python")]
        for command in [sys.executable, "-m", "venv", "--without-pip", venv], [*install, "install", "-r", ROOT / _OWN]:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise AuditError("pip-audit cannot be installed: %s" % _last_line(done.stderr))
        mark.write_text(state)
    return venv / "bin" / "pip-audit"


def _last_line(text):
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("WARNING")]
    return lines[-1].strip() if lines else "it does not say why"


def advisories(packages, folder=None):
    """What is known of releases, and where from.

    :param packages: the releases.
    :param folder: of advisories; without one, services are asked.
    :rtype: tuple of str and list of Advisory
    :raises AuditError: nobody could be asked; with a remedy.
    """
    if folder:
        return str(folder), advisories_of_folder(pathlib.Path(folder), packages)
    lock = PLACE / "all.txt"
    # Different lists may want different releases of one library, which one file cannot have.
    layers = []
    for package in sorted(set(packages)):
        layer = next((one for one in layers if package.name not in {other.name for other in one}), None)
        if layer is None:
            layer = []
            layers.append(layer)
        layer.append(package)
    problems = []
    for service in SERVICES:
        found = []
        try:
            for layer in layers:
                write_lock(lock, layer)
                found += advisories_of_service(lock, service)
        except AuditError as problem:
            problems.append(str(problem))
        else:
            return service, found
    raise AuditError(
        "no service answers (%s). Let this machine reach https://api.osv.dev or https://pypi.org/pypi, or have "
        "OVM_ADVISORIES name a clone of https://github.com/pypa/advisory-database" % "; ".join(problems)
    )


# --- all of it --------------------------------------------------------------------------


def main():
    sets = lists()
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__.splitlines()[0])
    parser.add_argument("set", nargs="*", help="%s; all if none is given" % ", ".join(sets))
    parser.add_argument("--python", help="what to resolve for, if not this one: 3.9.2 is Debian 11's")
    parser.add_argument("--wheelhouse", type=pathlib.Path, help="a folder of wheels to compare with the index")
    arguments = parser.parse_args()
    unknown = set(arguments.set) - set(sets)
    if unknown:
        parser.error("no such set: " + ", ".join(sorted(unknown)))
    chosen = {name: sets[name] for name in arguments.set or sets}
    faults, missed, packages, report = [], [], {}, {}
    for name, path in chosen.items():
        faults += declaration_faults(path)
        try:
            packages[name] = resolved(path, arguments.python)
        except AuditError as problem:
            missed.append(str(problem))
            continue
        write_lock(PLACE / (name + ".txt"), packages[name])
        print("%s: %d releases" % (name, len(packages[name])), flush=True)
        for package in packages[name]:
            print("  %-32s %-14s %s" % (package.name, package.version, (package.sha256 or "no hash")[:16]))
            if package.yanked:
                faults.append("%s %s was withdrawn: %s" % (package.name, package.version, package.yanked))
            if not package.sha256:
                faults.append("%s %s: the index gives no hash" % (package.name, package.version))
    every = sorted(set().union(*packages.values()))
    if arguments.wheelhouse:
        faults += wheelhouse_faults(arguments.wheelhouse, every)
    asked = None
    try:
        asked, known = advisories(every, os.environ.get("OVM_ADVISORIES"))
        faults += [
            "%s %s has %s%s"
            % (one.package, one.version, one.names[0], ", mended in " + " and ".join(one.fixed) if one.fixed else "")
            for one in known
        ]
    except AuditError as problem:
        missed.append("known vulnerabilities were not looked up: " + str(problem))
    report.update(
        asked=asked, faults=faults, missed=missed, python=arguments.python or "%d.%d" % sys.version_info[:2],
        releases={name: [package._asdict() for package in found] for name, found in packages.items()},
    )  # fmt: skip
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "report.json").write_text(json.dumps(report, indent=2), "utf-8")
    lines = sum(len(declared(path)) for path in chosen.values())
    print("%d dependencies, %d releases, advisories of: %s" % (lines, len(every), asked or "nobody"))
    print("the report is %s, and beside it a list with hashes of each set" % (PLACE / "report.json"))
    for text in faults:
        print("make audit: " + text, file=sys.stderr)
    for text in missed:
        print("make audit: NOT CHECKED: " + text, file=sys.stderr)
    return 1 if faults else 2 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
