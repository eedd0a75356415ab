# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh

# Tells what there is in a guest, and changes nothing: lines of NAME=VALUE. All at once, as each task takes its time.
# usage: sh look.sh PROGRAM_DIR FILE... -- PYTHON...

export LC_ALL=C
programs=$1
shift

yes_if() {
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "$name=yes"; else echo "$name=no"; fi
}

labels() {
    test -e /sys/fs/selinux/enforce && test -e /etc/selinux/config && command -v restorecon
}

fits() {
    "$1" -Ic "import sqlite3, sys; sys.exit(sys.version_info < (3, 6))"
}

# The package that a file belongs to, if any. dpkg-query --search says the same in ten times the time.
owner() {
    test -e "$1" || return
    if package=$(rpm --query --queryformat '%{NAME}\n' --file "$1" 2>/dev/null); then
        echo "$package"
    else
        grep -lxF "$1" /var/lib/dpkg/info/*.list 2>/dev/null | sed 's|.*/||; s|\.list$||'
    fi
}

# 0 where there is none, as on Oracle Linux 6.
version=$(systemctl --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')
echo "systemd=${version:-0}"
yes_if booted test -d /run/systemd/system
yes_if vendor rpm --query ovmd
yes_if labels labels
yes_if installed test -e "$programs/ovmd"
yes_if settings test -d /etc/sysconfig
echo "owner=$(owner "$programs/ovmd" | head -n 1)"

while [ "$1" != -- ]; do
    if [ -f "$1" ] && [ ! -L "$1" ]; then
        echo "$1=$(sha256sum <"$1" | cut -d ' ' -f 1) $(stat -c '%a %u:%g' "$1")"
        sed -n "s|^INITIAL_CONFIG=|flag of $1=|p" "$1"
    fi
    shift
done
shift

for python in "$@"; do
    if fits "$python" >/dev/null 2>&1; then
        echo "python=$python"
        break
    fi
done
