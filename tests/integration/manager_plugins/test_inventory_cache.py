# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory plugin keeps, and for how long."""

import os

import pytest
import yaml

from ansible_collections.ovm.messaging.tests.integration.manager_plugins.conftest import SECRET


@pytest.fixture
def kept(ansible, make_guest, say, faults):
    """Options of a cached inventory with one machine; requests are counted."""
    say(make_guest("web1"), {b"app.state": b"ready", b"app.password": SECRET.encode()})
    ansible.environment.update(OVM_PORT=str(faults.port), OVM_CA_FILE=faults.ca)
    return {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(ansible.folder / "kept")}


def write(ansible, tasks):
    """A playbook with these tasks for all hosts."""
    path = ansible.folder / "book.yml"
    path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return str(path)


def test_a_cached_inventory_makes_no_request(ansible, kept, faults):
    first = ansible.inventory(**kept)
    asked = faults.count()
    assert asked == 4 and first[0]["web1"]["ovm_received"] == {"app.state": "ready"}
    assert ansible.inventory(**kept) == first and faults.count() == asked
    # Not even a password or a library is needed then.
    broken = ansible.folder / "broken"
    broken.mkdir()
    (broken / "requests.py").write_text("raise ImportError('broken')")
    path = os.pathsep.join([str(broken), os.environ.get("PYTHONPATH", "")])
    without = {"OVM_PASSWORD": "", "PYTHONPATH": path}
    assert ansible.inventory(environment=without, **kept) == first and faults.count() == asked


def test_what_is_made_of_it_can_change_without_a_request(ansible, kept, faults):
    ansible.inventory(**kept)
    asked = faults.count()
    variables, groups = ansible.inventory(
        hostvars_prefix="x_", groups={"ready": "x_received['app.state'] == 'ready'"}, **kept
    )
    assert groups["ready"] == ["web1"] and "x_id" in variables["web1"] and faults.count() == asked


@pytest.mark.parametrize(
    "other", [{"states": ["all"]}, {"messages": "both"}, {"exclude": ["x*"]}, {"dialect": {"basic_login": "always"}}]
)
def test_another_question_is_asked_anew(ansible, kept, faults, other):
    ansible.inventory(**kept)
    asked = faults.count()
    ansible.inventory(**kept, **other)
    assert faults.count() > asked


def test_a_flushed_cache_is_filled_anew(ansible, kept, faults):
    ansible.inventory(**kept)
    asked = faults.count()
    ansible.run("ansible-playbook", "-i", ansible.write(kept), "--flush-cache", "--list-hosts", write(ansible, []))
    assert faults.count() == 2 * asked
    ansible.inventory(**kept)
    assert faults.count() == 2 * asked


def test_a_play_can_refresh_it(ansible, kept, faults):
    path = ansible.write(kept)
    ansible.inventory(**kept)
    asked = faults.count()
    ansible.run("ansible-playbook", "-i", path, write(ansible, [{"ansible.builtin.meta": "refresh_inventory"}]))
    assert faults.count() == 2 * asked


def test_no_secret_is_kept(ansible, kept):
    ansible.inventory(**kept)
    [path] = (ansible.folder / "kept").iterdir()
    text = path.read_text()
    assert "ready" in text and SECRET not in text and ansible.environment["OVM_PASSWORD"] not in text


def test_a_record_of_another_kind_is_not_taken(ansible, kept, faults):
    first = ansible.inventory(**kept)
    asked = faults.count()
    [path] = (ansible.folder / "kept").iterdir()
    text = path.read_text()
    assert "question" in text
    path.write_text(text.replace("question", "answer"))
    assert ansible.inventory(**kept) == first and faults.count() == 2 * asked
