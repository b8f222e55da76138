// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ZkSharedCore} from "./ZkSharedCore.sol";
import {IZkVerifier} from "./interfaces/IZkVerifier.sol";

/// @title What the verifiers of single models run that are minimal proxies with the key behind their code
/// @notice A clone is an IZkVerifier with an address of its own: 45 bytes that delegate to this contract (EIP-1167),
/// then system and number of public inputs in four bytes (2^31 added for CG16), then the key. All of that is its code,
/// which nobody can change and everybody can read; there is no constructor that could be told anything else.
/// @dev No constructor argument, no owner, no storage. Proofs are bound to the clone's address. Code that is shorter
/// than its key reads as if zeros followed, points at infinity under which proofs say nothing: `vkHash` reverts then,
/// and where code follows the key. It reverts, too, when this contract is called as itself, which holds no key.
contract ZkCloneVerifier is ZkSharedCore, IZkVerifier {
    /// @notice The clone's code has not as many bytes as proxy and key take.
    error KeyLength(uint256 got, uint256 expected);

    /// @dev Bytes of the proxy, and of what stands before the key.
    uint256 private constant PROXY = 45;
    uint256 private constant HEAD = 4;

    /// @inheritdoc IZkVerifier
    function verify(bytes calldata proof, uint256[] calldata instance) external view {
        _verify(proof, instance);
    }

    /// @inheritdoc IZkVerifier
    function verifyBound(bytes calldata proof, uint256[] calldata instance, bytes32 binder) external view {
        (binder); // read by position in the calldata
        _verify(proof, instance);
    }

    /// @inheritdoc IZkVerifier
    function vkHash() external view returns (bytes32) {
        (uint256 k, bool cg16, uint256 n) = _load();
        uint256 size = _keySize(cg16, n);
        uint256 length = address(this).code.length;
        if (length != size + PROXY + HEAD) revert KeyLength(length, size + PROXY + HEAD);
        return _keyHash(k, size, cg16, n);
    }

    /// @inheritdoc IZkVerifier
    function boundTo() external view returns (address) {
        return address(this);
    }

    /// @dev What both functions do; which one it is, and its binder, is read from the calldata.
    function _verify(bytes calldata proof, uint256[] calldata instance) private view {
        (uint256 k, bool cg16, uint256 n) = _load();
        uint256 expected = cg16 ? CG16_PROOF : GROTH16_PROOF;
        if (proof.length != expected) revert ProofLength(proof.length, expected);
        if (instance.length != n) revert InstanceLength(instance.length, n);
        bytes32 ctx;
        unchecked {
            expected += 0x84 + (n << 5);
        }
        if (msg.sig == this.verifyBound.selector) {
            if (!cg16) revert NotBindable();
            bytes32 binder;
            assembly ("memory-safe") {
                binder := calldataload(0x44)
                expected := add(expected, 0x20)
            }
            ctx = _context(binder);
        }
        if (msg.data.length != expected) revert CalldataLength(msg.data.length, expected);
        uint256 elements;
        uint256 inputs;
        assembly ("memory-safe") {
            elements := proof.offset
            inputs := instance.offset
        }
        // only a challenge takes the key's hash in: plain Groth16 does without
        bytes32 hash = cg16 ? _keyHash(k, _keySize(true, n), true, n) : bytes32(0);
        _verifyOne(k, hash, cg16, ctx, elements, inputs, n);
    }

    /// @dev The key behind the proxy's code: in a delegatecall address(this) is the proxy.
    function _load() private view returns (uint256 k, bool cg16, uint256 n) {
        assembly ("memory-safe") {
            k := add(mload(0x40), 0x20)
            let size := 0x320 // of a key of CG16, and enough for four public inputs of plain Groth16
            extcodecopy(address(), sub(k, HEAD), PROXY, add(size, HEAD))
            n := shr(224, mload(sub(k, HEAD)))
            cg16 := shr(31, n)
            n := and(n, 0x7fffffff)
            if iszero(cg16) {
                let first := size
                size := add(0x220, shl(6, n))
                if gt(size, first) {
                    extcodecopy(address(), add(k, first), add(add(PROXY, HEAD), first), sub(size, first))
                }
            }
            mstore(0x40, add(add(k, size), 0x20))
        }
    }
}
