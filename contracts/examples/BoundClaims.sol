// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../interfaces/IZkVerifier.sol";
import {ZkBinder} from "../ZkBinder.sol";

/// @title Claims backed by proofs that nobody else can send, and nobody twice
/// @notice An example: records what an address has proved. Each proof is bound to this chain, the verifier, its sender
/// and a number that is used once.
contract BoundClaims {
    /// @notice `who` has proved a statement about `instance` with its claim number `nonce`.
    event Claimed(address indexed who, uint256 indexed nonce, uint256[] instance);

    /// @notice The verifier given checks proofs of another key.
    error AnotherKey(bytes32 got, bytes32 expected);

    /// @notice The verifier of the one circuit that claims are about.
    IZkVerifier public immutable verifier;
    /// @notice The number that the next claim of an address must be bound to.
    mapping(address who => uint256 nonce) public nonces;

    /// @param verifier_ Verifier of the circuit
    /// @param vkHash The key that claims shall be about: guards against the address of another verifier
    constructor(IZkVerifier verifier_, bytes32 vkHash) {
        if (verifier_.vkHash() != vkHash) revert AnotherKey(verifier_.vkHash(), vkHash);
        verifier = verifier_;
    }

    /// @notice Claim what `instance` says; reverts if the proof is not valid for it, the sender and its nonce.
    /// @param proof The proof's elements
    /// @param instance Public inputs
    function claim(bytes calldata proof, uint256[] calldata instance) external {
        uint256 nonce = nonces[msg.sender]++;
        verifier.verifyBound(proof, instance, ZkBinder.forCaller(msg.sender, nonce));
        emit Claimed(msg.sender, nonce, instance);
    }
}
