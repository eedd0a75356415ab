# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""First-boot scripts in the shell, which start in a millisecond. Their interface is that of templateconfig.cli."""


def beginning(described="[]"):
    """What such a script begins with: its options are read, and its parameters are in ``$given``.

    :param str described: what it says of its parameters, JSON without apostrophes.
    """
    return (
        """while [ $# -gt 1 ]; do
    case $1 in
        --enumerate) enumerate=1 ;;
        --input) shift; input=$1 ;;
        --output) shift; output=$1 ;;
    esac
    shift
done
if [ "$enumerate" ]; then
    echo '"""
        + described
        + """' > "/dev/fd/$output"
    exit
fi
given=$(cat "/dev/fd/$input")
"""
    )
