// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../interfaces/IZkVerifier.sol";

/// @title A verifier for tests of contracts that rely on proofs: no cryptography, no gas
/// @notice NEVER deploy it where it matters: anyone can make its proofs, with `mockProof`.
/// @dev A mock proof is bound to its public inputs and binder as a real one is, so tests can tell a contract that
/// forgets to check them. Public inputs that are not below r, and data behind the arguments, are refused as by a real one.
contract MockZkVerifier is IZkVerifier {
    /// @dev Order r of the scalar field.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @inheritdoc IZkVerifier
    bytes32 public immutable vkHash;

    /// @notice A mock of some key's verifier.
    /// @param hash What `vkHash` shall answer
    constructor(bytes32 hash) {
        vkHash = hash;
    }

    /// @inheritdoc IZkVerifier
    function verify(bytes calldata proof, uint256[] calldata instance) external view {
        _checkCall(0x84, proof, instance);
        _check(proof, mockProof(instance));
    }

    /// @inheritdoc IZkVerifier
    function verifyBound(bytes calldata proof, uint256[] calldata instance, bytes32 binder) external view {
        _checkCall(0xa4, proof, instance);
        _check(proof, mockBoundProof(instance, binder));
    }

    /// @inheritdoc IZkVerifier
    function boundTo() external view returns (address) {
        return address(this);
    }

    /// @notice The proof that `verify` takes for these public inputs.
    /// @param instance Public inputs
    /// @return The mock proof
    function mockProof(uint256[] memory instance) public view returns (bytes memory) {
        return abi.encode("mock proof", vkHash, instance);
    }

    /// @notice The proof that `verifyBound` takes for these public inputs and this binder.
    /// @param instance Public inputs
    /// @param binder What the proof is bound to
    /// @return The mock proof
    function mockBoundProof(uint256[] memory instance, bytes32 binder) public view returns (bytes memory) {
        return abi.encode("mock bound proof", vkHash, instance, block.chainid, address(this), binder);
    }

    /// @dev `head`: bytes of the calldata beside the contents of `proof` and `instance`.
    function _checkCall(uint256 head, bytes calldata proof, uint256[] calldata instance) private pure {
        uint256 expected = head + ((proof.length + 31) / 32 + instance.length) * 32;
        if (msg.data.length != expected) revert CalldataLength(msg.data.length, expected);
        for (uint256 i = 0; i < instance.length; ++i) {
            if (instance[i] >= R) revert InputOutOfRange(i);
        }
    }

    function _check(bytes calldata got, bytes memory expected) private pure {
        if (keccak256(got) != keccak256(expected)) revert ProofInvalid();
    }
}
