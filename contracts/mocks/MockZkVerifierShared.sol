// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifierErrors} from "../interfaces/IZkVerifierErrors.sol";
import {IZkVerifierShared} from "../interfaces/IZkVerifierShared.sol";

/// @title A shared verifier for tests of contracts that rely on proofs: no cryptography, little gas
/// @notice NEVER deploy it where it matters: anyone can make its proofs, with `mockProof`.
/// @dev Keys are real ones, or other bytes of a key's length, with the hash of a real key. A mock proof is as long as a
/// real one, and bound to key, public inputs and binder as a real one is, so tests can tell a contract that forgets to
/// check them; a batch is proofs one after the other. What the real verifier says of lengths, counts, ranges and calldata
/// this one says, too. Only `checkKey` does not look at the key's points.
contract MockZkVerifierShared is IZkVerifierShared {
    /// @dev Order r of the scalar field.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant GROTH16_PROOF = 256;
    uint256 private constant CG16_PROOF = 320;
    /// @dev G2's generator, which keys are sent without, and where it stands in them.
    bytes private constant GAMMA = hex"198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
        hex"1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
        hex"090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
        hex"12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";
    uint256 private constant GAMMA_AT = 0xe0;

    /// @inheritdoc IZkVerifierShared
    function verify(bytes32 vkHash, bytes calldata vk, bytes calldata proof, uint256[] calldata instance)
        external
        pure
    {
        bool cg16 = _checkOne(vkHash, vk, proof, instance);
        _checkCall(0xe4 + vk.length + proof.length + 32 * instance.length, instance, instance.length);
        if (keccak256(proof) != keccak256(mockProof(vkHash, cg16, instance))) revert IZkVerifierErrors.ProofInvalid();
    }

    /// @inheritdoc IZkVerifierShared
    function verifyBound(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance,
        bytes32 binder
    ) external view {
        if (!_checkOne(vkHash, vk, proof, instance)) revert IZkVerifierErrors.NotBindable();
        _checkCall(0x104 + vk.length + proof.length + 32 * instance.length, instance, instance.length);
        if (keccak256(proof) != keccak256(mockBoundProof(vkHash, instance, binder))) revert IZkVerifierErrors.ProofInvalid();
    }

    /// @inheritdoc IZkVerifierShared
    function verifyBatch(
        bytes32 vkHash,
        bytes calldata vk,
        uint256 count,
        bytes calldata proofs,
        uint256[] calldata instances
    ) external pure {
        (bool cg16, uint256 n) = _checkMany(vkHash, vk, count, proofs, instances, false);
        _checkCall(0x104 + vk.length + proofs.length + 32 * instances.length, instances, n);
        bytes memory expected = "";
        for (uint256 i = 0; i < count; ++i) {
            expected = bytes.concat(expected, mockProof(vkHash, cg16, instances[i * n:(i + 1) * n]));
        }
        if (keccak256(proofs) != keccak256(expected)) revert IZkVerifierErrors.ProofInvalid();
    }

    /// @inheritdoc IZkVerifierShared
    function verifyBoundBatch(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proofs,
        uint256[] calldata instances,
        bytes32[] calldata binders
    ) external view {
        (, uint256 n) = _checkMany(vkHash, vk, binders.length, proofs, instances, true);
        uint256 words = instances.length + binders.length;
        _checkCall(0x124 + vk.length + proofs.length + 32 * words, instances, n);
        bytes memory expected = "";
        for (uint256 i = 0; i < binders.length; ++i) {
            expected = bytes.concat(expected, mockBoundProof(vkHash, instances[i * n:(i + 1) * n], binders[i]));
        }
        if (keccak256(proofs) != keccak256(expected)) revert IZkVerifierErrors.ProofInvalid();
    }

    /// @inheritdoc IZkVerifierShared
    function checkKey(bytes32 vkHash, bytes calldata vk, bool cg16, uint256 instanceLength) external pure {
        if (instanceLength == 0) revert IZkVerifierErrors.InstanceLength(0, 1);
        if (instanceLength >> 32 != 0) revert IZkVerifierErrors.InstanceLength(instanceLength, type(uint32).max);
        _checkKey(vkHash, vk, cg16, instanceLength);
    }

    /// @notice The proof that `verify` takes.
    /// @param vkHash Hash of the key
    /// @param cg16 Whether the key is one of CG16
    /// @param instance Public inputs
    /// @return The mock proof
    function mockProof(bytes32 vkHash, bool cg16, uint256[] memory instance) public pure returns (bytes memory) {
        return _filled(keccak256(abi.encode("mock proof", vkHash, instance)), cg16 ? CG16_PROOF : GROTH16_PROOF);
    }

    /// @notice The proof that `verifyBound` takes.
    /// @param vkHash Hash of the key, one of CG16
    /// @param instance Public inputs
    /// @param binder What the proof is bound to
    /// @return The mock proof
    function mockBoundProof(bytes32 vkHash, uint256[] memory instance, bytes32 binder)
        public
        view
        returns (bytes memory)
    {
        bytes memory said = abi.encode("mock bound proof", vkHash, instance, block.chainid, address(this), binder);
        return _filled(keccak256(said), CG16_PROOF);
    }

    /// @notice The hash of a key, as zkchain has it.
    /// @param vk The key, with or without gamma
    /// @param cg16 Whether it is one of CG16
    /// @param instanceLength Number of public inputs, or of packed words
    /// @return keccak256(label || whole key || number)
    function keyHash(bytes calldata vk, bool cg16, uint256 instanceLength) public pure returns (bytes32) {
        uint256 size = cg16 ? 0x320 : 0x220 + 0x40 * instanceLength;
        bool short = vk.length + GAMMA.length == size;
        if (!short && vk.length != size) revert KeyLength(vk.length, size);
        bytes memory whole = short ? bytes.concat(vk[:GAMMA_AT], GAMMA, vk[GAMMA_AT:]) : vk;
        return keccak256(abi.encodePacked(cg16 ? "zkchain/cg16/vk/1" : "zkchain/groth16/vk/1", whole, instanceLength));
    }

    function _checkOne(bytes32 vkHash, bytes calldata vk, bytes calldata proof, uint256[] calldata instance)
        private
        pure
        returns (bool cg16)
    {
        cg16 = proof.length == CG16_PROOF;
        if (!cg16 && proof.length != GROTH16_PROOF) revert IZkVerifierErrors.ProofLength(proof.length, GROTH16_PROOF);
        if (instance.length == 0) revert IZkVerifierErrors.InstanceLength(0, 1);
        _checkKey(vkHash, vk, cg16, instance.length);
    }

    function _checkMany(
        bytes32 vkHash,
        bytes calldata vk,
        uint256 count,
        bytes calldata proofs,
        uint256[] calldata instances,
        bool bound
    ) private pure returns (bool cg16, uint256 n) {
        if (count == 0) revert EmptyBatch();
        cg16 = proofs.length / count == CG16_PROOF;
        uint256 each = cg16 ? CG16_PROOF : GROTH16_PROOF;
        if (proofs.length % count != 0 || proofs.length / count != each) {
            unchecked {
                revert IZkVerifierErrors.ProofLength(proofs.length, count * each);
            }
        }
        if (bound && !cg16) revert IZkVerifierErrors.NotBindable();
        n = instances.length / count;
        if (n == 0 || n * count != instances.length) revert IZkVerifierErrors.InstanceLength(instances.length, count);
        _checkKey(vkHash, vk, cg16, n);
    }

    function _checkKey(bytes32 vkHash, bytes calldata vk, bool cg16, uint256 instanceLength) private pure {
        bytes32 got = keyHash(vk, cg16, instanceLength);
        if (got != vkHash) revert KeyMismatch(got, vkHash);
    }

    /// @dev Keys and proofs are whole words, so the calldata holds no padding. A public input that is out of range is told
    /// by its number among the `n` of its proof.
    function _checkCall(uint256 expected, uint256[] calldata instance, uint256 n) private pure {
        if (msg.data.length != expected) revert IZkVerifierErrors.CalldataLength(msg.data.length, expected);
        for (uint256 i = 0; i < instance.length; ++i) {
            if (instance[i] >= R) revert IZkVerifierErrors.InputOutOfRange(i % n);
        }
    }

    /// @dev As many bytes as a real proof has.
    function _filled(bytes32 seed, uint256 size) private pure returns (bytes memory proof) {
        for (uint256 i = 0; i < size / 32; ++i) {
            proof = bytes.concat(proof, keccak256(abi.encode(seed, i)));
        }
    }
}
