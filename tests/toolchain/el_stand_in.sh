#!/bin/sh
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run in a bare Debian by tests/toolchain/guests.py: makes it look like Oracle Linux 8 to Ansible, to
# rpm and to dnf. It is a stand-in, not that system: its userland is Debian's. It has a repository with
# the vendor's package names, whose packages have nothing in them but a file that says so.

cat >/etc/os-release <<'END'
NAME="Oracle Linux Server"
VERSION="8.10"
ID="ol"
ID_LIKE="fedora"
VERSION_ID="8.10"
PLATFORM_ID="platform:el8"
PRETTY_NAME="Stand-in for Oracle Linux Server 8.10"
END
echo "Oracle Linux Server release 8.10" >/etc/oracle-release
cp /etc/oracle-release /etc/redhat-release
rm -f /etc/debian_version
mkdir -p /etc/sysconfig /usr/libexec
ln -s /usr/bin/python3 /usr/libexec/platform-python

repository=/srv/ol8_addons
work=$(mktemp -d)
mkdir -p "$repository" /etc/yum.repos.d

package() { # NAME: a package with no more than the files that ovmd's role looks at
    unit=
    case $1 in
    ovmd) unit=ovmd ;;
    ovm-template-config) unit=ovm-template-initial-config ;;
    esac
    cat >"$work/$1.spec" <<END
Name: $1
Version: 1.0
Release: 1
Summary: Stand-in for the vendor's package
License: GPL
BuildArch: noarch
AutoReqProv: no
%description
It says that it is a stand-in.
%install
mkdir -p %{buildroot}/usr/share/stand-in %{buildroot}/usr/sbin %{buildroot}/usr/lib/systemd/system
echo $1 >%{buildroot}/usr/share/stand-in/$1
%if "$unit" != ""
printf '#!/bin/sh\necho stand-in for $1\n' >%{buildroot}/usr/sbin/$1
chmod 755 %{buildroot}/usr/sbin/$1
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
    >%{buildroot}/usr/lib/systemd/system/$unit.service
%endif
%files
/usr/share/stand-in/$1
%if "$unit" != ""
/usr/sbin/$1
/usr/lib/systemd/system/$unit.service
%endif
END
    rpmbuild -bb --quiet --define "_buildhost localhost" --define "_rpmdir $repository" --define "_topdir $work" "$work/$1.spec"
}

for name in libovmapi xenstoreprovider ovmd ovm-template-config python-simplejson; do
    package "$name"
done
for name in authentication datetime firewall network selinux ssh system user; do
    package "ovm-template-config-$name"
done
createrepo_c -q "$repository"
rm -rf "$work"
# NetworkManager has the one device that a scenario configures; the other is the end of its wire.
cat >/etc/NetworkManager/conf.d/wire.conf <<END
[main]
no-auto-default=*
[keyfile]
unmanaged-devices=interface-name:wire0
END
# Known, but not enabled, as on Oracle Linux.
cat >/etc/yum.repos.d/oracle.repo <<END
[ol8_addons]
name=Stand-in for Oracle Linux 8 Addons
baseurl=file://$repository
gpgcheck=0
enabled=0
END
