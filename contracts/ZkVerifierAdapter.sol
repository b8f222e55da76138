// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "./interfaces/IZkVerifier.sol";

/// @title A generated verifier behind the interface that is the same for all of them
/// @notice Generated verifiers take arrays of fixed lengths, which is cheapest and differs from circuit to circuit. This
/// contract takes bytes and words, checks how many there are, and hands them on; a revert of the verifier comes through.
/// @dev The elements of arrays of fixed length lie in the calldata one after the other, so the call is the selector and
/// then the bytes as they came.
contract ZkVerifierAdapter is IZkVerifier {
    /// @notice There is no contract at the address given for the verifier: calls to it would succeed.
    error NoContract(address verifier);

    /// @inheritdoc IZkVerifier
    address public immutable boundTo;
    /// @notice Bytes of a proof: 256 (Groth16) or 320 (CG16).
    uint256 public immutable proofLength;
    /// @notice Number of public inputs.
    uint256 public immutable instanceLength;
    bytes4 private immutable VERIFY;
    bytes4 private immutable VERIFY_BOUND;

    /// @param verifier The generated verifier
    /// @param single Selector of its `verifyProof`
    /// @param bound Selector of its `verifyBoundProof`, or 0 if it has none
    /// @param proofBytes Bytes of a proof
    /// @param inputs Number of public inputs
    constructor(address verifier, bytes4 single, bytes4 bound, uint256 proofBytes, uint256 inputs) {
        if (verifier.code.length == 0) revert NoContract(verifier);
        boundTo = verifier;
        VERIFY = single;
        VERIFY_BOUND = bound;
        proofLength = proofBytes;
        instanceLength = inputs;
    }

    /// @inheritdoc IZkVerifier
    function verify(bytes calldata proof, uint256[] calldata instance) external view {
        _checkLengths(proof, instance);
        _call(abi.encodePacked(VERIFY, proof, instance));
    }

    /// @inheritdoc IZkVerifier
    function verifyBound(bytes calldata proof, uint256[] calldata instance, bytes32 binder) external view {
        if (VERIFY_BOUND == 0) revert NotBindable();
        _checkLengths(proof, instance);
        _call(abi.encodePacked(VERIFY_BOUND, proof, instance, binder));
    }

    /// @inheritdoc IZkVerifier
    function vkHash() external view returns (bytes32) {
        return IZkVerifier(boundTo).vkHash();
    }

    function _checkLengths(bytes calldata proof, uint256[] calldata instance) private view {
        if (proof.length != proofLength) revert ProofLength(proof.length, proofLength);
        if (instance.length != instanceLength) revert InstanceLength(instance.length, instanceLength);
    }

    /// @dev The verifier returns nothing when the proof is valid; its revert becomes ours.
    function _call(bytes memory data) private view {
        (bool valid, bytes memory reason) = boundTo.staticcall(data);
        if (!valid) {
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
    }
}
