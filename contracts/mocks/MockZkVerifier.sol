// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../interfaces/IZkVerifier.sol";

/// @title A verifier for tests of contracts that rely on proofs: no cryptography, no gas
/// @notice NEVER deploy it where it matters: anyone can make its proofs, with `mockProof`.
/// @dev A mock proof is bound to its public inputs and binder as a real one is, so tests can tell a contract that
/// forgets to check them.
contract MockZkVerifier is IZkVerifier {
    /// @inheritdoc IZkVerifier
    bytes32 public immutable vkHash;

    /// @param hash What `vkHash` shall answer
    constructor(bytes32 hash) {
        vkHash = hash;
    }

    /// @inheritdoc IZkVerifier
    function verify(bytes calldata proof, uint256[] calldata instance) external view {
        _check(proof, mockProof(instance));
    }

    /// @inheritdoc IZkVerifier
    function verifyBound(bytes calldata proof, uint256[] calldata instance, bytes32 binder) external view {
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

    function _check(bytes calldata got, bytes memory expected) private pure {
        if (keccak256(got) != keccak256(expected)) revert ProofInvalid();
    }
}
