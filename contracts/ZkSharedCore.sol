// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifierErrors} from "./interfaces/IZkVerifierErrors.sol";

/// @title The arithmetic of both proof systems over a verifying key that lies in memory
/// @notice Without owner and storage. Whoever derives from this says where a key comes from, and answers for it: by its
/// hash, or by the code that holds it.
/// @dev A key is circuit_hash || alpha || beta || gamma || delta [|| eta] || IC_0 ..., at `k` in memory. Points are as
/// in EIP-196 and EIP-197: of a coordinate in Fp2 the imaginary part stands first. Checked is e(-a, b) e(alpha, beta)
/// e(IC, gamma) e(c, delta) [e(d, eta)] = 1, where IC = IC_0 + sum x_i IC_i (Groth 2016), or for CG16 IC_0 + h IC_1 + y
/// IC_2 with a challenge h drawn from the commitment d, and y = sum x_i h^i (docs/spec/protocol.md). The precompiles
/// check that every point, of the proof and of the key, is in its group with coordinates below p. (a, b) can be turned
/// into (u a, b / u): never use a proof or its hash as a nullifier. A malformed point burns all gas forwarded: give the
/// call a gas limit when it is made inside try / catch.
abstract contract ZkSharedCore {
    /// @dev Order r of the scalar field.
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @dev Order p of the base field.
    uint256 private constant P = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    /// @dev 2^256 mod r
    uint256 private constant TWO_256 = 0x0e0a77c19a07df2f666ea36f7879462e36fc76959f60cd29ac96341c4ffffffb;
    /// @dev Precompiles: addition and scalar multiplication in G1 (EIP-196), product of pairings (EIP-197).
    uint256 internal constant EC_ADD = 0x06;
    uint256 internal constant EC_MUL = 0x07;
    uint256 internal constant PAIRING = 0x08;
    /// @dev Bytes of a proof.
    uint256 internal constant GROTH16_PROOF = 0x100;
    uint256 internal constant CG16_PROOF = 0x140;
    /// @dev keccak256("zkchain/cg16/challenge/1")
    uint256 private constant DOMAIN = 0x6c7dc1ca44102758a553484ea777cd96b0dad88a3cc7efa159d882b7ad7b8b35;
    /// @dev "zkchain/groth16/vk/1" (20 bytes), "zkchain/cg16/vk/1" (17 bytes): neither is the other's beginning.
    uint256 private constant VK_GROTH16 = 0x007a6b636861696e2f67726f746831362f766b2f31;
    uint256 private constant VK_CG16 = 0x007a6b636861696e2f636731362f766b2f31;

    /// @dev keccak256(chainid || address(this) || binder)
    function _context(bytes32 binder) internal view returns (bytes32 ctx) {
        assembly ("memory-safe") {
            let s := mload(0x40)
            mstore(s, chainid())
            mstore(add(s, 0x20), address())
            mstore(add(s, 0x40), binder)
            ctx := keccak256(s, 0x60)
        }
    }

    /// @dev Bytes of a whole key for `n` public inputs; `n` is a number of words that lie in calldata or code.
    function _keySize(bool cg16, uint256 n) internal pure returns (uint256) {
        unchecked {
            return cg16 ? 0x320 : 0x220 + 0x40 * n;
        }
    }

    /// @dev Hash of the key of `size` bytes at `k`: keccak256(label || key || n). Overwrites the words before and
    /// after.
    function _keyHash(uint256 k, uint256 size, bool cg16, uint256 n) internal pure returns (bytes32 hash) {
        uint256 label = cg16 ? VK_CG16 : VK_GROTH16;
        assembly ("memory-safe") {
            let bytes_ := sub(20, mul(3, cg16))
            mstore(sub(k, 0x20), label)
            mstore(add(k, size), n)
            hash := keccak256(sub(k, bytes_), add(bytes_, add(size, 0x20)))
        }
    }

    /// @dev Verifies the proof at `proof` in the calldata for the `n` public inputs at `inputs`, under the key at `k`,
    /// which is overwritten with the pairing's terms.
    function _verifyOne(uint256 k, bytes32 hash, bool cg16, bytes32 ctx, uint256 proof, uint256 inputs, uint256 n)
        internal
        view
    {
        uint256 sum; // starts as IC_0, behind the key and a word that a scalar takes
        if (cg16) {
            (, uint256 challenge, uint256 y) = _challenge(hash, ctx, proof, inputs, n);
            assembly ("memory-safe") {
                sum := add(k, 0x340)
                mcopy(sum, add(k, 0x260), 0x40)
            }
            unchecked {
                _accumulate(sum, k + 0x2e0, y);
                _accumulate(sum, k + 0x2a0, challenge);
            }
        } else {
            uint256 point;
            assembly ("memory-safe") {
                point := add(k, add(0x1e0, shl(6, n)))
                sum := add(point, 0x60)
                mcopy(sum, add(k, 0x1e0), 0x40)
            }
            while (n != 0) {
                uint256 x;
                assembly ("memory-safe") {
                    n := sub(n, 1)
                    x := calldataload(add(inputs, shl(5, n)))
                }
                if (x >= R) revert IZkVerifierErrors.InputOutOfRange(n);
                _accumulate(sum, point, x);
                unchecked {
                    point -= 0x40;
                }
            }
        }
        uint256 slot;
        assembly ("memory-safe") {
            // Terms of the pairing, each a point of G1 and one of G2 (0x40 + 0x80): alpha, IC, c, [d,] (a, b). alpha
            // and beta lie as they have to, at k + 0x20; eta, delta and gamma make room for the points of G1 before
            // them.
            slot := add(k, 0x260)
            if cg16 {
                mcopy(add(k, 0x2a0), add(k, 0x1e0), 0x80)
                calldatacopy(slot, add(proof, 0x100), 0x40)
                slot := add(k, 0x320)
            }
            mcopy(add(k, 0x1e0), add(k, 0x160), 0x80)
            mcopy(add(k, 0x120), add(k, 0x0e0), 0x80)
            mcopy(add(k, 0x0e0), sum, 0x40)
            calldatacopy(add(k, 0x1a0), add(proof, 0x0c0), 0x40)
            calldatacopy(slot, proof, 0xc0)
        }
        _negate(slot);
        unchecked {
            _requirePairing(k + 0x20, slot + 0xc0);
        }
    }

    /// @dev seed = keccak256(DOMAIN || vkHash || ctx || d || n || x), challenge = (hi 2^256 + lo) mod r with
    /// hi = keccak256(seed || 0) and lo = keccak256(seed || 1), y = sum x_i challenge^i. Requires x_i < r.
    function _challenge(bytes32 hash, bytes32 ctx, uint256 proof, uint256 inputs, uint256 n)
        internal
        pure
        returns (uint256 seed, uint256 challenge, uint256 y)
    {
        assembly ("memory-safe") {
            let s := mload(0x40)
            mstore(s, DOMAIN)
            mstore(add(s, 0x20), hash)
            mstore(add(s, 0x40), ctx)
            calldatacopy(add(s, 0x60), add(proof, 0x100), 0x40)
            mstore(add(s, 0xa0), n)
            calldatacopy(add(s, 0xc0), inputs, shl(5, n))
            seed := keccak256(s, add(0xc0, shl(5, n)))
            mstore(0x00, seed)
            mstore(0x20, 0)
            let hi := keccak256(0x00, 0x40)
            mstore(0x20, 1)
            challenge := addmod(mulmod(hi, TWO_256, R), keccak256(0x00, 0x40), R)
        }
        bool bad;
        assembly ("memory-safe") {
            for { let p := add(inputs, shl(5, n)) } gt(p, inputs) {} {
                p := sub(p, 0x20)
                let x := calldataload(p)
                bad := or(bad, iszero(lt(x, R)))
                y := addmod(mulmod(y, challenge, R), x, R)
            }
        }
        if (bad) _refuseInputs(inputs, n);
    }

    /// @dev Names the first of the `n` public inputs at `inputs` in the calldata that is not below r.
    function _refuseInputs(uint256 inputs, uint256 n) private pure {
        for (uint256 i = 0; i < n; ++i) {
            uint256 x;
            assembly ("memory-safe") {
                x := calldataload(add(inputs, shl(5, i)))
            }
            if (x >= R) revert IZkVerifierErrors.InputOutOfRange(i);
        }
    }

    /// @dev Requires that the product of the pairings from `m` to `end` is one.
    function _requirePairing(uint256 m, uint256 end) internal view {
        unchecked {
            _precompile(PAIRING, m, end - m, 0x00, 0x20);
        }
        uint256 one;
        assembly ("memory-safe") {
            one := mload(0x00)
        }
        if (one != 1) revert IZkVerifierErrors.ProofInvalid();
    }

    /// @dev Negates the point at `p`: (x, p - y); infinity, (0, 0), stays what it is. Requires y < p.
    function _negate(uint256 p) internal pure {
        uint256 y;
        assembly ("memory-safe") {
            p := add(p, 0x20)
            y := mload(p)
            mstore(p, mod(sub(P, y), P))
        }
        if (y >= P) revert IZkVerifierErrors.PrecompileFailed();
    }

    /// @dev Adds `scalar` times the point at `point` to the point at `sum`. Overwrites the word after the first, two
    /// after the second: where points follow each other, the last one has to come first.
    function _accumulate(uint256 sum, uint256 point, uint256 scalar) internal view {
        bool ok;
        assembly ("memory-safe") {
            mstore(add(point, 0x40), scalar)
            // of an expression the last argument is evaluated first
            ok := and(eq(returndatasize(), 0x40), staticcall(gas(), EC_MUL, point, 0x60, add(sum, 0x40), 0x40))
            ok := and(and(eq(returndatasize(), 0x40), staticcall(gas(), EC_ADD, sum, 0x80, sum, 0x40)), ok)
        }
        if (!ok) _refuse(0x300); // there are four pairs at least
    }

    /// @dev Calls a precompile. On a chain without it the call succeeds with an empty answer: the size is checked too.
    function _precompile(uint256 which, uint256 from, uint256 length, uint256 to, uint256 size) internal view {
        bool ok;
        assembly ("memory-safe") {
            ok := and(eq(returndatasize(), size), staticcall(gas(), which, from, length, to, size))
        }
        if (!ok) _refuse(length);
    }

    /// @dev A precompile has failed. What it refuses burns all gas forwarded, as EIP-196 and EIP-197 have it, and so
    /// does too little gas; 63 times what is left tells how much that was (EIP-150). Less than a pairing of `length`
    /// bytes takes, 192 for each pair, is too little: there is one at the end.
    function _refuse(uint256 length) private view {
        unchecked {
            uint256 got = 63 * gasleft();
            uint256 needed = 45_000 + 34_000 * length / 192;
            if (got < needed) revert IZkVerifierErrors.GasTooLow(got, needed);
        }
        revert IZkVerifierErrors.PrecompileFailed();
    }
}
