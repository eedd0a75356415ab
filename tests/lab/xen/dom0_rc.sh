#!/bin/sh
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# dom0 of the light system, from the kernel's start until guests can be created. Init runs it.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /run/xenstored /run/xen /run/lock /var/log/xen/console /var/lib/xen
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /dev/shm
while read -r module; do insmod "$module"; done </etc/modules
mount -t xenfs xenfs /proc/xen
hostname dom0

# Guests' packets pass no filter and need no router: all are on one bridge.
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
brctl addbr xenbr0
ifconfig xenbr0 10.9.0.1 netmask 255.255.0.0 up

xenstored --pid-file /run/xen/xenstored.pid
until [ -S /run/xenstored/socket ]; do sleep 0.05; done
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen/console
echo "dom0 is ready after $(cut -d' ' -f1 /proc/uptime) s"
