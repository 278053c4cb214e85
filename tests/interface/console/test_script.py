"""The console's script in a real browser: its SHA-256 and its proofs are those of the log."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from application.transparency_log.merkle import SHA256, inclusion_proof, range_root

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCRIPT = resources.files("interface.console").joinpath("static", "console.js")
HOST = "http://console.test/"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.route(
            f"{HOST}**",
            lambda route: route.fulfill(
                body=SCRIPT.read_text("utf-8") if route.request.url.endswith(".js") else "<p>",
                content_type="text/javascript"
                if route.request.url.endswith(".js")
                else "text/html",
            ),
        )
        page.goto(HOST)
        yield page
        browser.close()


def test_its_sha_256_is_the_standard_one(page: Any) -> None:
    texts = [b"", b"abc", *(os.urandom(length) for length in (1, 55, 56, 63, 64, 65, 119, 1_000))]
    made = page.evaluate(
        """async (texts) => {
          const { sha256 } = await import('/console.js');
          return texts.map((text) => [...sha256(Uint8Array.from(text))]);
        }""",
        [list(text) for text in texts],
    )
    assert [bytes(each) for each in made] == [hashlib.sha256(text).digest() for text in texts]


def test_it_follows_every_proof_of_a_small_tree_and_no_wrong_one(page: Any) -> None:
    proofs = [proof for size in (1, 2, 3, 5, 8, 13) for proof in _proofs(size)]
    wrong = [proof | {"root": "00" * 32} for proof in proofs]
    wrong += [proof | {"leaf": base64.b64encode(b"other").decode()} for proof in proofs]
    wrong += [proof | {"path": [*proof["path"], "00" * 32]} for proof in proofs]
    right = page.evaluate(
        """async (proofs) => {
          const { follow } = await import('/console.js');
          return proofs.map((proof) => follow(proof).right);
        }""",
        proofs + wrong,
    )
    assert right == [True] * len(proofs) + [False] * len(wrong)


def _proofs(size: int) -> Iterator[dict[str, Any]]:
    leaves = [f"event {n}".encode() for n in range(size)]
    hashed = [SHA256.digest(b"\0" + leaf) for leaf in leaves]

    def node(level: int, index: int) -> bytes:
        return range_root(SHA256, hashed[index << level : (index + 1) << level])

    for index, leaf in enumerate(leaves):
        path = inclusion_proof(SHA256, index, size, node)
        yield {
            "index": index,
            "size": size,
            "leaf": base64.b64encode(leaf).decode(),
            "path": [each.hex() for each in path],
            "root": range_root(SHA256, hashed).hex(),
        }
