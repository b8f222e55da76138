// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Proof verifier of ERC-8274 "AI Inference Proof Verification Interfaces" (DRAFT)
/// @notice The inner of its two layers. A draft of 2026-05-26, not merged when this was written (ethereum/ERCs, pull
/// request 1771), in its text at commit 10ed575, version 0.2; the date of that commit is not known to us. Version 0.1
/// had other functions (`name`, `version`), and `verify` was a view.
interface IProofVerifier {
    /// @notice Whether a proof is valid for an input and an output.
    /// @param inputHash Commitment to the input
    /// @param outputHash Commitment to the output
    /// @param metadata What does not change from call to call, kept by the calling IAgentVerifier
    /// @param proof The proof
    /// @return True when it is
    function verify(bytes32 inputHash, bytes32 outputHash, bytes calldata metadata, bytes calldata proof)
        external
        returns (bool);

    /// @notice The proof system, as "paradigm/variant".
    /// @return Its name
    function proofSystem() external view returns (string memory);

    /// @notice Identifier of this deployment.
    /// @return keccak256 of proof system and a constant of the backend
    function proofProfile() external view returns (bytes32);
}
