// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What a proof is bound to, besides the chain and the verifier
/// @notice A proof that is bound to its sender and a nonce can neither be copied by who sees it nor sent twice.
library ZkBinder {
    /// @notice The binder of a caller's proof with a number; the prover computes the same (`zkchain.solidity.binder`).
    /// @param caller Who may use the proof, usually msg.sender
    /// @param nonce A number that the calling contract uses once for every caller
    /// @return keccak256(abi.encode(caller, nonce))
    function forCaller(address caller, uint256 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(caller, nonce));
    }
}
