"""Downloads one pinned wheel so that a download that broke off, even by the end of this process, goes on where it was.

    python wheel.py FOLDER REQUIREMENTS [PIP-OPTION ...]

pip says where the wheel is and what its hash must be (PIP-OPTIONs choose the platform); the bytes go to NAME.whl.part in
FOLDER, which takes its last name once its hash is right. Fails, saying why, where only pip itself can fetch it: from an
index that wants a password, for one.
"""
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

CHUNK = 1 << 20
TRIES = 20


def say(text, end="\n"):
    print(f"set-up: {text}", end=end, file=sys.stderr, flush=True)


def where(requirements, options):
    """The wheel's URL and SHA-256, which pip has checked against the pins."""
    report = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run", "--ignore-installed",
         "--require-hashes", "--target", os.path.dirname(requirements), "--report", "-", "-r", requirements, *options],
        check=True, stdout=subprocess.PIPE).stdout
    (found,) = json.loads(report)["install"]
    info = found["download_info"]
    return info["url"], info["archive_info"]["hashes"]["sha256"]


def certificates():
    """pip's own certificates, if it was given some, else the system's."""
    file = os.environ.get("PIP_CERT") or subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.cert"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    return ssl.create_default_context(cafile=file or None)


class Progress:
    """How much has arrived: a line that moves on a terminal, a line every tenth elsewhere."""

    def __init__(self, name, total):
        self.name, self.total, self.shown, self.live = name, total, -1, sys.stderr.isatty()

    def show(self, have):
        percent = have * 100 // self.total if self.total else 0
        step = percent if self.live else percent // 10
        if step != self.shown:
            self.shown = step
            say(f"{self.name}: {have >> 20} of {self.total >> 20} MiB, {percent} %", end="\r" if self.live and have < self.total else "\n")


def fetch(url, part, name, context):
    """Adds to part what it lacks of url; an answer that ends early is an OSError or HTTPException."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:
        goes_on = answer.status == 206
        if have and goes_on:
            say(f"{name}: going on after {have >> 20} MiB")
        have = have if goes_on else 0
        left = answer.headers.get("Content-Length")
        total = have + int(left) if left else 0
        progress = Progress(name, total)
        with open(part, "ab" if goes_on else "wb") as out:
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                have += len(chunk)
                progress.show(have)
    if total and have < total:
        raise http.client.IncompleteRead(b"", total - have)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def main():
    folder, requirements, *options = sys.argv[1:]
    url, want = where(requirements, options)
    name = os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
    path = os.path.join(folder, name)
    if os.path.exists(path) and sha256(path) == want:
        return
    part, context = path + ".part", certificates()
    for attempt in range(TRIES):
        try:
            fetch(url, part, name, context)
        except urllib.error.HTTPError as error:
            if error.code != 416:  # all of it is there already, or more than all: the hash will tell
                raise
        except (OSError, http.client.HTTPException) as error:
            if attempt == TRIES - 1:
                raise
            say(f"{name}: broke off ({error}); trying again")
            time.sleep(min(2**attempt, 30))
            continue
        if sha256(part) == want:
            os.replace(part, path)
            return
        say(f"{name}: its SHA-256 is not the pinned one; fetching it anew")
        os.remove(part)
    raise OSError(f"{name} could not be fetched whole in {TRIES} tries")


if __name__ == "__main__":
    try:
        main()
    except (OSError, http.client.HTTPException, subprocess.CalledProcessError, ValueError) as error:
        sys.exit(f"set-up: {error}")
