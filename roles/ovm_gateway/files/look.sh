# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh

# Tells what there is on a host, and changes nothing: lines of NAME=VALUE. All at once, as each task takes its time.
# usage: sh look.sh PYTHON PATH...

export LC_ALL=C
python=$1
shift

yes_if() {
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "$name=yes"; else echo "$name=no"; fi
}

# 0 where there is none.
version=$(systemctl --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')
echo "systemd=${version:-0}"
yes_if booted test -d /run/systemd/system
yes_if python "$python" -Ic "import sys; sys.exit(sys.version_info < (3, 9))"

# What is in files, and whose they are. Of others only that they are there.
for path in "$@"; do
    if [ -f "$path" ] && [ ! -L "$path" ]; then
        echo "$path=$(sha256sum <"$path" | cut -d ' ' -f 1) $(stat -c '%a %u:%g' "$path")"
    elif [ -e "$path" ] || [ -L "$path" ]; then
        echo "$path=$(stat -c '%F %a %u:%g' "$path")"
    fi
done
