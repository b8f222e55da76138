// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkSharedErrors} from "./IZkVerifierErrors.sol";

/// @title One verifier for all models of a chain: the verifying key travels in the calldata
/// @notice A consumer pins `vkHash` and passes it with every call; it never takes it from its user. The errors are those
/// of `IZkSharedErrors`, and the one below.
interface IZkVerifierShared is IZkSharedErrors {
    /// @notice There is no proof in the batch.
    error EmptyBatch();

    /// @notice Returns if the proof is valid under the pinned key, in no particular context; reverts otherwise.
    /// @param vkHash Hash of the verifying key, pinned by the calling contract
    /// @param vk circuit_hash || alpha || beta || gamma || delta [|| eta] || IC_0 ...; gamma may be left out if it is G2
    /// @param proof a || b || c (256 bytes, Groth16) or a || b || c || d (320 bytes, CG16)
    /// @param instance Public inputs (CG16: packed words), each below the scalar field's order
    function verify(bytes32 vkHash, bytes calldata vk, bytes calldata proof, uint256[] calldata instance) external view;

    /// @notice As `verify`, for a proof that was made for this chain, this contract and `binder`.
    /// @param vkHash Hash of the verifying key, pinned by the calling contract
    /// @param vk The key, as for `verify`
    /// @param proof The proof's elements
    /// @param instance Public inputs
    /// @param binder Computed by the calling contract; it must hold that contract's own address: see `ZkBinder`
    function verifyBound(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance,
        bytes32 binder
    ) external view;

    /// @notice Returns if all proofs are valid, in no particular context; reverts if any is not, or if there is none.
    /// @param vkHash Hash of the verifying key, pinned by the calling contract
    /// @param vk The key, as for `verify`
    /// @param count Number of proofs
    /// @param proofs One after the other
    /// @param instances Public inputs of all proofs, one after the other
    function verifyBatch(
        bytes32 vkHash,
        bytes calldata vk,
        uint256 count,
        bytes calldata proofs,
        uint256[] calldata instances
    ) external view;

    /// @notice As `verifyBatch`, the i-th proof made for this chain, this contract and the i-th binder.
    /// @param vkHash Hash of the verifying key, pinned by the calling contract
    /// @param vk The key, as for `verify`
    /// @param proofs One after the other
    /// @param instances Public inputs of all proofs, one after the other
    /// @param binders Computed by the calling contract, as for `verifyBound`, as many as there are proofs
    function verifyBoundBatch(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proofs,
        uint256[] calldata instances,
        bytes32[] calldata binders
    ) external view;

    /// @notice Returns if the key hashes to `vkHash` and is fit to be pinned; reverts otherwise. For constructors and
    /// eth_call.
    /// @param vkHash What the key should hash to
    /// @param vk The key, as for `verify`
    /// @param cg16 Whether it is a key of CG16 (else of plain Groth16)
    /// @param instanceLength Number of public inputs, or of packed words
    function checkKey(bytes32 vkHash, bytes calldata vk, bool cg16, uint256 instanceLength) external view;
}
