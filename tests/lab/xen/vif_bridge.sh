#!/bin/sh
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What xl has done in dom0 for a guest's network card: it is put on the bridge.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
case $1 in
online)
    # shellcheck disable=SC2154  # libxl says which card it is
    if ifconfig "$vif" up && brctl addif xenbr0 "$vif"; then
        xenstore-write "$XENBUS_PATH/hotplug-status" connected
    else
        xenstore-write "$XENBUS_PATH/hotplug-status" error
        exit 1
    fi
    ;;
esac
exit 0
