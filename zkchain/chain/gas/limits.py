"""What a fork would refuse, found before anything is sent, with the way out."""

from __future__ import annotations

from collections.abc import Sequence

from zkchain.chain.gas.estimates import Estimate
from zkchain.chain.gas.prices import Fork
from zkchain.r1cs import System
from zkchain.solidity import Artifact
from zkchain.solidity.render import data_initcode

OTHER_SYSTEM = 'the system that packs public inputs (system="cg16", --system cg16)'
PUBLIC = "make fewer numbers public (private_outputs=, --private-output; outputs=, --only-output)"


def refusals(
    estimate: Estimate, system: System, proofs: int | None = None, least: int | None = None
) -> tuple[str, ...]:
    """Say whether a transaction has too much gas for its fork (EIP-7825), and what to do.

    Parameters
    ----------
    estimate
        Of a verification, of a batch, or of a transaction that deploys.
    system
        Which proof system's it is.
    proofs
        Their number in a batch, which could be smaller.
    least
        What it will use at least, of an estimate that only bounds it (``at_most``).

    Returns
    -------
    tuple
        A sentence; none where the fork takes the transaction.
    """
    cap = estimate.fork.cap
    if cap is None or estimate.capped <= cap:
        return ()
    limit = f"EIP-7825's cap of {cap:,} gas for one transaction"
    if estimate.at_most and (least is None or least <= cap):
        some = "" if least is None else f", depending on the public inputs, and no less than {least:,}"
        said = f"{estimate.what}: up to {estimate.capped:,} gas{some}; {limit} may be too little"
    else:
        said = f"{estimate.what}: {estimate.capped:,} gas are over {limit}: a node refuses it"
    ways = ["fewer proofs in a batch"] if proofs is not None and proofs > 1 else []
    ways += [OTHER_SYSTEM] if system is System.GROTH16 else []
    return (f"{said}. Ways out: {', or '.join([*ways, PUBLIC])}",)


def oversized(artifact: Artifact, fork: Fork, arguments: int = 0) -> tuple[str, ...]:
    """Say which of a contract's codes are too long for the fork: EIP-170 and EIP-3860, or EIP-7954. ``arguments``:
    bytes of the constructor's."""
    codes = [("contract", artifact.runtime, len(artifact.bytecode) + arguments)]
    codes += [("data contract", code, len(data_initcode(code))) for code in artifact.data]
    found = []
    for what, code, initcode in codes:
        for kind, length, most in (("code", len(code), fork.max_code), ("initcode", initcode, fork.max_initcode)):
            if length > most:
                found.append(
                    f"{what}: {length:,} bytes of {kind} are over {fork.name}'s limit of {most:,}: "
                    f"a node refuses it. Ways out: {OTHER_SYSTEM}, or {PUBLIC}"
                )
    return tuple(found)


def of_deployment(estimates: Sequence[Estimate], artifact: Artifact, system: System) -> tuple[str, ...]:
    """All refusals of a deployment's transactions, each said once."""
    if not estimates:
        return ()
    fork = estimates[-1].fork
    found = [*oversized(artifact, fork, 32 * len(artifact.data))]
    for estimate in estimates:
        found += refusals(estimate, system)
    return tuple(dict.fromkeys(found))
