// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Calls a verifier from another contract, and goes on afterwards.
contract Caller {
    /// How often control came back from a verifier, whatever it said.
    uint256 public returned;
    /// Gas that the last call used.
    uint256 public used;
    bool public valid;
    bytes public reason;

    /// Calls `verifier` with `data` and at most `limit` gas; notes what happened in the same frame.
    function tryVerify(address verifier, bytes calldata data, uint256 limit) external {
        uint256 before = gasleft();
        (bool ok, bytes memory answer) = verifier.call{gas: limit}(data);
        used = before - gasleft();
        valid = ok;
        reason = answer;
        returned += 1;
    }

    /// Reverts with a text.
    function fail() external pure {
        revert("told so");
    }

    /// As `tryVerify`, in the caller's own storage and memory: a Yul `return` in the verifier cannot end this frame either.
    function delegateVerify(address verifier, bytes calldata data) external {
        (bool ok, bytes memory answer) = verifier.delegatecall(data);
        valid = ok;
        reason = answer;
        returned += 1;
    }
}
