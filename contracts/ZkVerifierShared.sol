// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ZkSharedCore} from "./ZkSharedCore.sol";
import {IZkVerifierErrors} from "./interfaces/IZkVerifierErrors.sol";
import {IZkVerifierShared} from "./interfaces/IZkVerifierShared.sol";

/// @title One verifier for all models of a chain, of both proof systems: the verifying key travels in the calldata
/// @notice A consumer pins a key's hash, 32 bytes, and passes it with every call, never taking it from its user. All
/// functions return if the proofs are valid and revert otherwise: no verdict that can be ignored.
/// @dev No constructor argument, no owner, no storage, nothing immutable: the same address on every chain through
/// CREATE2, and the address attests the code. Nothing is done with a key before its hash has been compared with the one
/// given: keccak256(label || key || number of public inputs). The label is the proof system's, which is that of the
/// proofs' length: neither is ever a choice of the caller's user.
contract ZkVerifierShared is ZkSharedCore, IZkVerifierShared {
    /// @dev keccak256("zkchain/groth16/instance/1")
    uint256 private constant DOMAIN_GROTH16 = 0x1d5df59b6e74f17d292111780229507335ecc2f8fdc27527cbb162172bf35a33;
    /// @dev "zkchain/groth16/batch/1" (23 bytes), "zkchain/cg16/batch/1" (20 bytes)
    uint256 private constant BATCH_GROTH16 = 0x007a6b636861696e2f67726f746831362f62617463682f31;
    uint256 private constant BATCH_CG16 = 0x007a6b636861696e2f636731362f62617463682f31;
    /// @dev Words of the generator of G2, which stands for gamma where a key leaves it out.
    uint256 private constant G2_X1 = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
    uint256 private constant G2_X0 = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;
    uint256 private constant G2_Y1 = 0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b;
    uint256 private constant G2_Y0 = 0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa;

    /// @inheritdoc IZkVerifierShared
    function verify(bytes32 vkHash, bytes calldata vk, bytes calldata proof, uint256[] calldata instance)
        external
        view
    {
        _verify(vkHash, vk, proof, instance);
    }

    /// @inheritdoc IZkVerifierShared
    /// @dev This contract serves many, so that its address separates no two of them: the binder has to.
    function verifyBound(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance,
        bytes32 binder
    ) external view {
        (binder); // read by position in the calldata
        _verify(vkHash, vk, proof, instance);
    }

    /// @inheritdoc IZkVerifierShared
    /// @dev To learn which proof of a batch is wrong, verify them one by one.
    function verifyBatch(
        bytes32 vkHash,
        bytes calldata vk,
        uint256 count,
        bytes calldata proofs,
        uint256[] calldata instances
    ) external view {
        (count); // read by position in the calldata
        _verifyBatch(vkHash, vk, proofs, instances);
    }

    /// @inheritdoc IZkVerifierShared
    function verifyBoundBatch(
        bytes32 vkHash,
        bytes calldata vk,
        bytes calldata proofs,
        uint256[] calldata instances,
        bytes32[] calldata binders
    ) external view {
        (binders); // read by position in the calldata
        _verifyBatch(vkHash, vk, proofs, instances);
    }

    /// @inheritdoc IZkVerifierShared
    /// @dev Asks of a key what zkchain asks before it renders or pins one: no point is infinity, all are in their
    /// groups; gamma, delta and eta differ in x, and delta and eta from the generator; so do the IC_i, each from the
    /// others.
    function checkKey(bytes32 vkHash, bytes calldata vk, bool cg16, uint256 instanceLength) external view {
        if (instanceLength == 0) revert IZkVerifierErrors.InstanceLength(0, 1);
        if (instanceLength >> 32 != 0) revert IZkVerifierErrors.InstanceLength(instanceLength, type(uint32).max);
        _requireSafe(_load(vkHash, vk, cg16, instanceLength), cg16, _keySize(cg16, instanceLength));
    }

    /// @dev What `verify` and `verifyBound` do; which one it is, and its binder, is read from the calldata. Without
    /// constant arguments, because solc would make a copy for each set of them.
    function _verify(bytes32 vkHash, bytes calldata vk, bytes calldata proof, uint256[] calldata instance)
        private
        view
    {
        bool cg16 = proof.length == CG16_PROOF;
        if (!cg16 && proof.length != GROTH16_PROOF) revert IZkVerifierErrors.ProofLength(proof.length, GROTH16_PROOF);
        if (instance.length == 0) revert IZkVerifierErrors.InstanceLength(0, 1);
        uint256 k = _load(vkHash, vk, cg16, instance.length);
        bytes32 ctx;
        uint256 expected;
        unchecked {
            expected = 0xe4 + vk.length + proof.length + (instance.length << 5);
        }
        if (msg.sig == this.verifyBound.selector) {
            if (!cg16) revert IZkVerifierErrors.NotBindable();
            ctx = _contextAt(0x84);
            assembly ("memory-safe") {
                expected := add(expected, 0x20)
            }
        }
        if (msg.data.length != expected) revert IZkVerifierErrors.CalldataLength(msg.data.length, expected);
        uint256 elements;
        uint256 inputs;
        assembly ("memory-safe") {
            elements := proof.offset
            inputs := instance.offset
        }
        _verifyOne(k, vkHash, cg16, ctx, elements, inputs, instance.length);
    }

    /// @dev What `verifyBatch` and `verifyBoundBatch` do, likewise.
    function _verifyBatch(bytes32 vkHash, bytes calldata vk, bytes calldata proofs, uint256[] calldata instances)
        private
        view
    {
        uint256 count;
        uint256 binders;
        uint256 expected = 0x104;
        if (msg.sig == this.verifyBatch.selector) {
            assembly ("memory-safe") {
                count := calldataload(0x44)
            }
        } else {
            assembly ("memory-safe") {
                binders := add(0x24, calldataload(0x84))
                count := calldataload(sub(binders, 0x20))
                expected := add(0x124, shl(5, count))
            }
        }
        if (count == 0) revert EmptyBatch();
        bool cg16 = proofs.length / count == CG16_PROOF;
        uint256 n;
        unchecked {
            uint256 size = count * (cg16 ? CG16_PROOF : GROTH16_PROOF);
            if (proofs.length != size || proofs.length < count) revert IZkVerifierErrors.ProofLength(proofs.length, size);
            if (binders != 0 && !cg16) revert IZkVerifierErrors.NotBindable();
            n = instances.length / count;
            if (n == 0 || n * count != instances.length) revert IZkVerifierErrors.InstanceLength(instances.length, count);
            expected += vk.length + proofs.length + (instances.length << 5);
        }
        uint256 k = _load(vkHash, vk, cg16, n);
        if (msg.data.length != expected) revert IZkVerifierErrors.CalldataLength(msg.data.length, expected);
        uint256 proof;
        uint256 inputs;
        assembly ("memory-safe") {
            proof := proofs.offset
            inputs := instances.offset
        }
        _verifyMany(k, vkHash, Batch(cg16, count, proof, inputs, n, binders));
    }

    /// @dev Context of the binder at `place` in the calldata.
    function _contextAt(uint256 place) private view returns (bytes32) {
        bytes32 binder;
        assembly ("memory-safe") {
            binder := calldataload(place)
        }
        return _context(binder);
    }

    /// @dev The key in memory, after its length and its hash have been checked. Without gamma it is 128 bytes shorter,
    /// and gamma is the generator, as in every key of a ceremony; the hash is that of the whole key in any case.
    function _load(bytes32 vkHash, bytes calldata vk, bool cg16, uint256 n) private pure returns (uint256 k) {
        uint256 size = _keySize(cg16, n);
        unchecked {
            uint256 gap = size - vk.length;
            if (gap & ~uint256(0x80) != 0) revert KeyLength(vk.length, size);
            assembly ("memory-safe") {
                k := add(mload(0x40), 0x20)
                mstore(0x40, add(add(k, size), 0x20))
                calldatacopy(k, vk.offset, 0xe0) // circuit_hash, alpha, beta
                if gap {
                    mstore(add(k, 0x0e0), G2_X1)
                    mstore(add(k, 0x100), G2_X0)
                    mstore(add(k, 0x120), G2_Y1)
                    mstore(add(k, 0x140), G2_Y0)
                }
                calldatacopy(add(k, add(0xe0, gap)), add(vk.offset, 0xe0), sub(vk.length, 0xe0))
            }
        }
        bytes32 got = _keyHash(k, size, cg16, n);
        if (got != vkHash) revert KeyMismatch(got, vkHash);
    }

    /// @dev A batch in the calldata: `count` proofs one after the other at `proof`, `n` public inputs of each at
    /// `inputs`, and at `binders` as many words, or none for 0.
    struct Batch {
        bool cg16;
        uint256 count;
        uint256 proof;
        uint256 inputs;
        uint256 n;
        uint256 binders;
    }

    /// @dev Checks the product of all equations, the i-th to the power rho_i, i = 1 .. count: rho_1 = 1, then 128 bits
    /// of a hash of everything (docs/spec/protocol.md, section 10).
    function _verifyMany(uint256 k, bytes32 hash, Batch memory b) private view {
        uint256 t; // transcript: label || vkHash || count || items of nine words || index
        uint256 scalars; // sums of rho times challenge and y, or times x_j
        uint256 m; // terms of the pairing: alpha, IC, c, [d,] (a, b) of each proof; then room for public inputs
        uint256 slot;
        uint256 end;
        bool cg16 = b.cg16;
        uint256 terms = cg16 ? 2 : b.n;
        {
            uint256 label = cg16 ? BATCH_CG16 : BATCH_GROTH16;
            uint256 count = b.count;
            uint256 n = b.n;
            assembly ("memory-safe") {
                t := mload(0x40)
                scalars := add(t, add(0x80, mul(count, 0x120)))
                m := add(scalars, shl(5, terms))
                slot := add(m, add(0x240, mul(0xc0, cg16)))
                end := add(slot, mul(count, 0xc0))
                mstore(0x40, add(end, add(0x20, shl(5, n))))
                mstore(t, label)
                mstore(add(t, 0x20), hash)
                mstore(add(t, 0x40), count)
                calldatacopy(scalars, calldatasize(), sub(slot, scalars)) // zeros: the sums start at infinity
            }
        }
        _absorb(hash, b, t, slot);
        uint256 sum = _combine(b, t, scalars, m, slot, end);
        uint256 point = k + 0x1e0 + (cg16 ? 0x80 : 0);
        assembly ("memory-safe") {
            mcopy(m, add(k, 0x20), 0x40)
            mcopy(add(m, 0x0c0), point, 0x40)
        }
        unchecked {
            _multiply(m, sum);
            _multiply(m + 0x0c0, sum);
            point += terms << 6;
            while (terms != 0) {
                uint256 s;
                assembly ("memory-safe") {
                    terms := sub(terms, 1)
                    s := mload(add(scalars, shl(5, terms)))
                }
                _accumulate(m + 0x0c0, point, s);
                point -= 0x40;
            }
        }
        assembly ("memory-safe") {
            mcopy(add(m, 0x040), add(k, 0x060), 0x80) // beta
            mcopy(add(m, 0x100), add(k, 0x0e0), 0x80) // gamma
            mcopy(add(m, 0x1c0), add(k, 0x160), 0x80) // delta
            if cg16 { mcopy(add(m, 0x280), add(k, 0x1e0), 0x80) } // eta
        }
        _requirePairing(m, end);
    }

    /// @dev Writes the items of the transcript, seed || a || b || c; for CG16 also challenge and y of each proof, to
    /// the places that (a, b) will take.
    function _absorb(bytes32 hash, Batch memory b, uint256 t, uint256 slot) private view {
        uint256 proof = b.proof;
        uint256 inputs = b.inputs;
        unchecked {
            for (uint256 i = 0; i < b.count; ++i) {
                uint256 seed;
                if (b.cg16) {
                    uint256 challenge;
                    uint256 y;
                    bytes32 ctx = b.binders == 0 ? bytes32(0) : _contextAt(b.binders + (i << 5));
                    (seed, challenge, y) = _challenge(hash, ctx, proof, inputs, b.n);
                    assembly ("memory-safe") {
                        mstore(slot, challenge)
                        mstore(add(slot, 0x20), y)
                    }
                } else {
                    uint256 n = b.n;
                    assembly ("memory-safe") {
                        let s := mload(0x40)
                        mstore(s, DOMAIN_GROTH16)
                        mstore(add(s, 0x20), hash)
                        mstore(add(s, 0x40), n)
                        calldatacopy(add(s, 0x60), inputs, shl(5, n))
                        seed := keccak256(s, add(0x60, shl(5, n)))
                    }
                }
                assembly ("memory-safe") {
                    let item := add(add(t, 0x60), mul(i, 0x120))
                    mstore(item, seed)
                    calldatacopy(add(item, 0x20), proof, 0x100)
                }
                slot += 0xc0;
                proof += b.cg16 ? CG16_PROOF : GROTH16_PROOF;
                inputs += b.n << 5;
            }
        }
    }

    /// @dev Adds up rho c, rho d and the scalars of IC; writes (-rho a, b) of each proof. Returns the sum of all rho.
    function _combine(Batch memory b, uint256 t, uint256 scalars, uint256 m, uint256 slot, uint256 end)
        private
        view
        returns (uint256 sum)
    {
        uint256 proof = b.proof;
        uint256 inputs = b.inputs;
        bool cg16 = b.cg16;
        unchecked {
            for (uint256 i = 0; i < b.count; ++i) {
                uint256 rho = i == 0 ? 1 : _weight(t, t + 0x60 + b.count * 0x120, i + 1, cg16);
                sum += rho;
                uint256 terms = b.n;
                assembly ("memory-safe") {
                    switch cg16
                    case 0 { calldatacopy(end, inputs, shl(5, terms)) }
                    default {
                        terms := 2
                        mcopy(end, slot, 0x40)
                    }
                }
                for (uint256 j = 0; j < terms; ++j) {
                    uint256 x;
                    assembly ("memory-safe") {
                        x := mload(add(end, shl(5, j)))
                        let s := add(scalars, shl(5, j))
                        mstore(s, addmod(mload(s), mulmod(rho, x, R), R))
                    }
                    if (x >= R) revert IZkVerifierErrors.InputOutOfRange(j);
                }
                _addScaled(m + 0x180, proof + 0x0c0, rho);
                if (cg16) _addScaled(m + 0x240, proof + 0x100, rho);
                assembly ("memory-safe") {
                    calldatacopy(slot, proof, 0x40)
                }
                if (i != 0) _multiply(slot, rho);
                _negate(slot);
                assembly ("memory-safe") {
                    calldatacopy(add(slot, 0x40), add(proof, 0x40), 0x80)
                }
                slot += 0xc0;
                proof += cg16 ? CG16_PROOF : GROTH16_PROOF;
                inputs += b.n << 5;
            }
        }
    }

    /// @dev Adds rho times the point at `from` in the calldata to the point at `total`; the three words after it are
    /// overwritten.
    function _addScaled(uint256 total, uint256 from, uint256 rho) private view {
        assembly ("memory-safe") {
            calldatacopy(add(total, 0x40), from, 0x40)
        }
        unchecked {
            if (rho != 1) _multiply(total + 0x40, rho);
        }
        _precompile(EC_ADD, total, 0x80, total, 0x40);
    }

    /// @dev Scalar multiplication in place: the point at `p` times `scalar`. Overwrites the word after the point.
    function _multiply(uint256 p, uint256 scalar) private view {
        assembly ("memory-safe") {
            mstore(add(p, 0x40), scalar)
        }
        _precompile(EC_MUL, p, 0x60, p, 0x40);
    }

    /// @dev Top 128 bits of keccak256(transcript || i). The transcript starts with the label, the last bytes of the
    /// word at `t`, and ends at `end`, where `i` goes.
    function _weight(uint256 t, uint256 end, uint256 i, bool cg16) private pure returns (uint256 rho) {
        assembly ("memory-safe") {
            mstore(end, i)
            let start := add(t, add(9, mul(3, cg16)))
            rho := shr(128, keccak256(start, sub(add(end, 0x20), start)))
        }
    }

    /// @dev See `checkKey`; the key is that of `size` bytes at `k`.
    function _requireSafe(uint256 k, bool cg16, uint256 size) private view {
        bool bad;
        uint256 buffer;
        uint256 points; // IC_0
        uint256 end;
        assembly ("memory-safe") {
            points := add(k, add(0x1e0, shl(7, cg16)))
            end := add(k, size)
            buffer := mload(0x40)
            mstore(0x40, add(buffer, 0x300))
            calldatacopy(buffer, calldatasize(), 0x300)
            // in G1 infinity is (0, 0), and no other point has y = 0
            bad := iszero(mload(add(k, 0x40)))
            for { let p := points } lt(p, end) { p := add(p, 0x40) } {
                bad := or(bad, iszero(mload(add(p, 0x20))))
                for { let q := points } lt(q, p) { q := add(q, 0x40) } { bad := or(bad, eq(mload(p), mload(q))) }
            }
            // beta, gamma, delta, [eta]: each a term with infinity of a pairing, which looks whether it is in its group
            let term := add(buffer, 0x40)
            for { let p := add(k, 0x60) } lt(p, points) { p := add(p, 0x80) } {
                mcopy(term, p, 0x80)
                term := add(term, 0xc0)
                bad := or(bad, iszero(or(mload(add(p, 0x40)), mload(add(p, 0x60)))))
                if gt(p, add(k, 0xe0)) {
                    bad := or(bad, and(eq(mload(p), G2_X1), eq(mload(add(p, 0x20)), G2_X0)))
                    for { let q := add(k, 0xe0) } lt(q, p) { q := add(q, 0x80) } {
                        bad := or(bad, and(eq(mload(p), mload(q)), eq(mload(add(p, 0x20)), mload(add(q, 0x20)))))
                    }
                }
            }
        }
        if (bad) revert UnsafeKey();
        unchecked {
            _requirePairing(buffer, buffer + (cg16 ? 0x300 : 0x240));
            for (uint256 p = k + 0x20; p < end; p = p < points ? points : p + 0x40) {
                assembly ("memory-safe") {
                    mcopy(buffer, p, 0x40)
                }
                _precompile(EC_ADD, buffer, 0x40, buffer, 0x40); // infinity, which need not be given, is added
            }
        }
    }
}
