// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../../contracts/interfaces/IZkVerifier.sol";
import {ZkConsumer} from "../../contracts/ZkConsumer.sol";

/// @title All that ZkConsumer gives to contracts, for tests
contract OwnConsumer is ZkConsumer {
    event Tried(address indexed caller, bool valid);

    constructor(IZkVerifier verifier_, bytes32 vkHash_, uint256 bindingWord_, uint256 gas_)
        ZkConsumer(verifier_, vkHash_, bindingWord_, gas_)
    {}

    function take(bytes calldata proof, uint256[] calldata instance) external {
        _verify(proof, instance);
    }

    function takeFor(
        address caller,
        uint64 deadline,
        bytes32 action,
        bytes calldata consent,
        bytes calldata proof,
        uint256[] calldata instance
    ) external {
        _verifyFor(caller, deadline, action, consent, proof, instance);
    }

    function tryFor(address caller, bytes calldata consent, bytes calldata proof, uint256[] calldata instance)
        external
        returns (bool valid)
    {
        valid = _tryVerifyFor(caller, 0, 0, consent, proof, instance);
        emit Tried(caller, valid);
    }

    function vote(bytes32 scope, uint256 word, bytes calldata proof, uint256[] calldata instance) external {
        _verify(proof, instance);
        _spend(scope, instance[word]);
    }
}
