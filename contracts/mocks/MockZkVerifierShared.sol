// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../interfaces/IZkVerifier.sol";
import {IZkVerifierShared} from "../interfaces/IZkVerifierShared.sol";

/// @title A shared verifier for tests of contracts that rely on proofs: no cryptography, no gas
/// @notice NEVER deploy it where it matters: anyone can make its proofs, with `mockProof`.
/// @dev A key's hash is keccak256 of its bytes. A mock proof is bound to key, public inputs and binder as a real one is,
/// so tests can tell a contract that forgets to check them.
contract MockZkVerifierShared is IZkVerifierShared {
    /// @inheritdoc IZkVerifierShared
    function verify(bytes32 vkHash, bytes calldata vk, bytes calldata proof, uint256[] calldata instance)
        external
        pure
    {
        _checkHash(vkHash, vk);
        _check(proof, mockProof(vkHash, instance));
    }

    /// @inheritdoc IZkVerifierShared
    function verifyBound(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance,
        bytes32 binder
    ) external view {
        _checkHash(vkHash, vk);
        _check(proof, mockBoundProof(vkHash, instance, binder));
    }

    /// @inheritdoc IZkVerifierShared
    /// @dev A mock batch is one proof of all instances.
    function verifyBatch(
        bytes32 vkHash,
        bytes calldata vk,
        uint256 count,
        bytes calldata proofs,
        uint256[] calldata instances
    ) external pure {
        if (count == 0) revert EmptyBatch();
        _checkHash(vkHash, vk);
        _check(proofs, mockProof(vkHash, instances));
    }

    /// @inheritdoc IZkVerifierShared
    /// @dev A mock batch is one proof of all instances and the hash of all binders.
    function verifyBoundBatch(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proofs,
        uint256[] calldata instances,
        bytes32[] calldata binders
    ) external view {
        if (binders.length == 0) revert EmptyBatch();
        _checkHash(vkHash, vk);
        _check(proofs, mockBoundProof(vkHash, instances, keccak256(abi.encodePacked(binders))));
    }

    /// @inheritdoc IZkVerifierShared
    function checkKey(bytes32 vkHash, bytes calldata vk, bool, uint256) external pure {
        _checkHash(vkHash, vk);
    }

    /// @notice The proof that `verify` takes.
    /// @param vkHash Hash of the key
    /// @param instance Public inputs
    /// @return The mock proof
    function mockProof(bytes32 vkHash, uint256[] memory instance) public pure returns (bytes memory) {
        return abi.encode("mock proof", vkHash, instance);
    }

    /// @notice The proof that `verifyBound` takes.
    /// @param vkHash Hash of the key
    /// @param instance Public inputs
    /// @param binder What the proof is bound to
    /// @return The mock proof
    function mockBoundProof(bytes32 vkHash, uint256[] memory instance, bytes32 binder)
        public
        view
        returns (bytes memory)
    {
        return abi.encode("mock bound proof", vkHash, instance, block.chainid, address(this), binder);
    }

    function _checkHash(bytes32 vkHash, bytes calldata vk) private pure {
        if (keccak256(vk) != vkHash) revert KeyMismatch(keccak256(vk), vkHash);
    }

    function _check(bytes calldata got, bytes memory expected) private pure {
        if (keccak256(got) != keccak256(expected)) revert IZkVerifier.ProofInvalid();
    }
}
