"""anvil behind a proxy that is busy, drops connections, answers garbage, kills its client: nothing lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli_tools import compile_into, write_input, zkchain
from tests.helpers.evm import anvil, ask_node, verifier
from tests.helpers.simulator import simulate, toxic_key
from zkchain import chain as zk
from zkchain.chain import Chain, Patience
from zkchain.errors import ChainError, KeyMismatch
from zkchain.formats.state import open_journal
from zkchain.r1cs import System

pytestmark = [pytest.mark.anvil, pytest.mark.slow]
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
FAULTS = ("429", "502", "drop", "drop after", "garbage", "html", "foreign hash")
Strike = Callable[[int, str], str]
"""What happens to a request, by its number and method: a fault, "kill before" or "kill after", or ""."""


@contextmanager
def proxy(rpc: str, strike: Strike, victim: list[int]) -> Iterator[str]:
    """An address that leads to ``rpc``; ``victim``: the process to kill."""
    count = iter(range(1 << 30))

    class Between(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fault = strike(next(count), json.loads(body)["method"])
            if fault == "kill before":
                return self.kill()
            if fault == "drop":
                return self.drop()
            if fault in ("429", "502"):
                return self.say(int(fault), b"busy")
            request = urllib.request.Request(rpc, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request) as response:
                answer = response.read()
            if fault == "kill after":
                return self.kill()
            if fault == "drop after":
                return self.drop()
            return self.say(200, altered(fault, answer))

        def kill(self) -> None:
            os.kill(victim[0], signal.SIGKILL)
            self.drop()

        def drop(self) -> None:
            self.close_connection = True
            self.connection.close()

        def say(self, status: int, answer: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (OSError, ValueError):
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Between) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def altered(fault: str, answer: bytes) -> bytes:
    document = json.loads(answer)
    if fault == "garbage":
        return json.dumps({**document, "result": {"a": [1]}}).encode()
    if fault == "html":
        return b"<html>"
    if fault == "foreign hash" and isinstance(document.get("result"), str) and len(document["result"]) == 66:
        return json.dumps({**document, "result": "0x" + "ee" * 32}).encode()
    return answer


def sent(node: Chain, since: int) -> Counter[tuple[str, bytes]]:
    """Transactions of the blocks after ``since``, by recipient and data."""
    eth = node.web3.eth
    found: Counter[tuple[str, bytes]] = Counter()
    for number in range(since + 1, eth.block_number + 1):
        inside: Any = eth.get_block(number, True)
        found.update((str(each.get("to")), bytes(each["input"])) for each in inside["transactions"])
    return found


@pytest.mark.parametrize("seed", range(100))
def test_a_schedule_of_faults(node: Chain, anvil_rpc: str, tmp_path: Path, seed: int) -> None:
    """Half the time by our key, half by the node's account."""
    draw = random.Random(seed)
    faults: Mapping[int, str] = {draw.randrange(60): draw.choice(FAULTS) for _ in range(draw.randrange(1, 12))}
    toxic, key = toxic_key(System.GROTH16, 1), KEY if seed % 2 else None
    proof = simulate(toxic, (5,))
    salt = 1_000 * (os.getpid() % 1_000_000) + seed  # a contract of this run's own
    request: Any = node.web3.provider.make_request
    kept = request("evm_snapshot", [])["result"]
    since = node.web3.eth.block_number
    patience = Patience(mined_within=20.0, poll=0.05, pause=0.001)
    with proxy(anvil_rpc, lambda number, method: faults.get(number, ""), []) as rpc:
        for _ in range(20):
            try:
                chain = zk.connect(rpc, key=key, journal=open_journal(tmp_path / "journal"), patience=patience)
                deployment = zk.deploy(chain, verifier(System.GROTH16, 1), salt=salt)
                receipt = zk.submit(chain, deployment, toxic.vk, proof, (5,))
                break
            except (ChainError, KeyMismatch):  # a foreign word may also come as the contract's vkHash
                continue
        else:
            pytest.fail("it did not succeed")
    assert sorted(sent(node, since).values()) == [1, 1]
    assert node.web3.eth.get_transaction_receipt(receipt.transaction)["status"] == 1  # type: ignore[arg-type]
    ask_node(node, "evm_revert", kept)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faulty") / "bundle"
    assert compile_into(folder).code == 0
    assert zkchain("setup", folder).code == 0
    assert zkchain("prove", folder, write_input(folder.parent / "input.json")).code == 0
    assert zkchain("solidity", folder).code == 0
    return folder


def nth(wanted: str, which: int, fault: str) -> Strike:
    """The fault at the ``which``-th request of this method, once."""
    seen: Counter[str] = Counter()

    def strike(number: int, method: str) -> str:
        seen[method] += 1
        return fault if method == wanted and seen[method] == which else ""

    return strike


POINTS = {
    "before it is sent": ("eth_sendRawTransaction", "kill before"),
    "after it is sent": ("eth_sendRawTransaction", "kill after"),
    "before the receipt": ("eth_getTransactionReceipt", "kill before"),
    "after the receipt": ("eth_getTransactionReceipt", "kill after"),
}


@pytest.mark.parametrize("command", ["deploy", "submit"])
@pytest.mark.parametrize("point", POINTS)
def test_kill_9_and_the_same_command_again(bundle: Path, tmp_path: Path, command: str, point: str) -> None:
    method, fault = POINTS[point]
    victim: list[int] = []
    environment = {**os.environ, "ZKCHAIN_PRIVATE_KEY": KEY, "ZKCHAIN_JOURNAL": str(tmp_path / "journal")}
    which = 2 if "receipt" in point else 1  # the first look for a receipt comes before anything is sent
    with anvil() as real, proxy(real, nth(method, which, fault), victim) as rpc:
        node = zk.connect(real)
        if command == "submit":
            assert zkchain("deploy", bundle, "--rpc", real).code == 0
        since = node.web3.eth.block_number
        words = [sys.executable, "-m", "zkchain", command, str(bundle), "--rpc", rpc, "--json"]
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        victim.append(process.pid)
        process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL
        again = subprocess.run(words, env=environment, capture_output=True, timeout=300, check=False)
        assert again.returncode == 0, again.stderr
        assert list(sent(node, since).values()) == [1]
        report = json.loads(again.stdout)
        transaction = report["deployment"]["transaction"] if command == "deploy" else report["transaction"]
        assert node.web3.eth.get_transaction_receipt(transaction)["status"] == 1
