# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without a screen: Debian's Chromium, driven by selenium.

Chromium is this system's, where ``chromium`` and ``chromedriver`` are on the PATH. Otherwise
its packages are fetched into the cache folder, as Xen's are: nothing is installed, nobody
needs to be root. That takes some 130 MB from a Debian mirror and 440 MB of disk, once.
"""

import base64
import contextlib
import ctypes
import glob
import hashlib
import json
import os
import shutil
import signal
import tempfile
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException, WebDriverException

from . import LabError, parts
from .process import PATIENCE, last_words

#: Without a screen, as root and in a container, too; and nothing that calls home.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name but the tests' own leads anywhere, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    # It ends when its driver does, however that ends.
    "--remote-debugging-pipe",
)
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>%s/usr/share/fonts</dir><cachedir>%s</cachedir>
<alias><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
<match><edit name="family" mode="append_last"><string>Liberation Sans</string></edit></match>
</fontconfig>
"""


class Browser:
    """A running Chromium with a profile of its own; a context manager.

    :param str ca: path of the certificate that it takes a server's word by; not for servers without TLS.
    :ivar driver: selenium's WebDriver.
    :raises LabError: there is no Chromium and none can be had, or it does not start.
    """

    def __init__(self, ca=None, width=1000, height=800):
        self._home = tempfile.mkdtemp(prefix="ovm-browser-")
        self._log = os.path.join(self._home, "driver.log")
        try:
            self.driver = self._start(ca, "--window-size=%d,%d" % (width, height))
        except BaseException:
            self._clean()
            raise
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.set_script_timeout(PATIENCE)
        self.driver.get("about:blank")
        self.requests()  # what its own first page has asked for is nobody's concern

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        self.driver.quit()
        self._clean()

    def _clean(self):
        shutil.rmtree(self._home, ignore_errors=True)

    def _start(self, ca, *flags):
        options = webdriver.ChromeOptions()
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # An alert stays, for the test to find it.
        options.set_capability("unhandledPromptBehavior", "ignore")
        for flag in (*FLAGS, *flags, "--user-data-dir=" + os.path.join(self._home, "profile")):
            options.add_argument(flag)
        if ca:
            options.add_argument("--ignore-certificate-errors-spki-list=" + _key_of(ca))
        # Where no driver is named, selenium looks for one in the net.
        environment = dict(os.environ, HOME=self._home, TMPDIR=self._home, SE_OFFLINE="true", LC_ALL="C.UTF-8")
        driver = shutil.which("chromedriver")
        if driver and shutil.which("chromium"):
            options.binary_location = shutil.which("chromium")
        else:
            root = parts.chromium()
            options.binary_location = os.path.join(root, "usr/lib/chromium/chromium")
            driver = os.path.join(root, "usr/bin/chromedriver")
            environment.update(LD_LIBRARY_PATH=_libraries(root), FONTCONFIG_FILE=self._fonts(root))
        service = webdriver.ChromeService(
            driver, env=environment, log_output=self._log, popen_kw={"preexec_fn": _end_with_parent}
        )
        try:
            return webdriver.Chrome(options=options, service=service)
        except WebDriverException as problem:
            raise LabError(
                "Chromium does not start (%s): remove %s, so that it is fetched anew, or install the packages "
                "chromium and chromium-driver" % (last_words(self._log), os.path.join(parts.cache(), "chromium-*"))
            ) from problem

    def _fonts(self, root):
        """A configuration that has these fonts only: a system without any has no configuration either."""
        path = os.path.join(self._home, "fonts.conf")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(_FONTS % (root, os.path.join(self._home, "fonts")))
        return path

    # What tests ask

    def open(self, url, user=None, password=None):
        """Load a page.

        :param str user: who to be for a server that asks for Basic authentication.
        """
        if user is not None:
            parts_of_it = urllib.parse.urlsplit(url)
            who = urllib.parse.quote(user, safe="") + ":" + urllib.parse.quote(password, safe="")
            url = parts_of_it._replace(netloc=who + "@" + parts_of_it.netloc).geturl()
        self.driver.get(url)

    def alert(self):
        """The text of an alert that a page has put up, or None."""
        with contextlib.suppress(NoAlertPresentException):
            return self.driver.switch_to.alert.text
        return None

    def complaints(self):
        """What Chromium has written to its console since last time: errors, refused scripts."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """The addresses of all that pages have asked for since last time."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def screenshot(self, path):
        """Write a picture (PNG) of the whole page into a file."""
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(taken["data"]))

    def be_a_phone(self, width=360, height=740):
        """Show pages as a phone's browser does, from now on."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def overflow(self):
        """By how many pixels the page is wider than the window."""
        return self.driver.execute_script(
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth;"
        )


def _key_of(ca):
    """The public key of a certificate, as Chromium wants to be told which one to trust."""
    with open(ca, "rb") as stream:
        key = x509.load_pem_x509_certificate(stream.read()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode("ascii")


def _libraries(root):
    """Value of LD_LIBRARY_PATH for what the fetched packages brought along."""
    folders = "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"
    # Some libraries have parts in a folder of their own.
    found = (glob.glob(os.path.join(root, folder + deeper)) for folder in folders for deeper in ("", "/pulseaudio"))
    return ":".join(path for paths in found for path in sorted(paths))


def _end_with_parent():
    """In a new process: be killed when the one that started it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
