#!/bin/sh
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A guest of the light system, from the kernel's start until it can be reached. Init runs it.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /dev/shm
while read -r module; do insmod "$module"; done </etc/modules
mount -t xenfs xenfs /proc/xen
# Tests have the kernel panic, by xl sysrq.
echo 1 >/proc/sys/kernel/sysrq

ifconfig lo 127.0.0.1 up
read -r arguments </proc/cmdline
for word in $arguments; do
    case $word in
    ovm.name=*) hostname "${word#*=}" ;;
    ovm.address=*) ifconfig eth0 "${word#*=}" netmask 255.255.0.0 up ;;
    esac
done
echo "the guest is ready after $(cut -d' ' -f1 /proc/uptime) s"
