// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../interfaces/IZkVerifier.sol";
import {ZkConsumer} from "../ZkConsumer.sol";

/// @title Claims backed by proofs that nobody else can send, nobody twice, and nobody elsewhere
/// @notice An example: records what an address has proved. Each proof is bound to this chain, the verifier, this
/// contract, its sender and a number that is used once.
contract BoundClaims is ZkConsumer {
    /// @notice Somebody has proved a statement.
    /// @param who Whose claim it is
    /// @param counter Its number, of his
    /// @param instance What it is about
    event Claimed(address indexed who, uint256 indexed counter, uint256[] instance);

    /// @notice A consumer of proofs of one key.
    /// @param verifier_ Verifier of the circuit
    /// @param vkHash_ The key that claims shall be about: guards against the address of another verifier
    /// @param bindingWord_ 2^256 - 1 for CG16; else the number of the first public word of the input `binder`
    constructor(IZkVerifier verifier_, bytes32 vkHash_, uint256 bindingWord_)
        ZkConsumer(verifier_, vkHash_, bindingWord_, 0)
    {}

    /// @notice Claim what `instance` says; reverts unless the proof is valid for it and this claim of the sender's.
    /// @param proof The proof's elements
    /// @param instance Public inputs
    function claim(bytes calldata proof, uint256[] calldata instance) external {
        uint256 counter = counterOf(msg.sender);
        _verify(proof, instance);
        emit Claimed(msg.sender, counter, instance);
    }
}
