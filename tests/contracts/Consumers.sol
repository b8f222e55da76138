// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC8004ValidationRegistry} from "../../contracts/interfaces/IERC8004.sol";
import {IZkVerifier} from "../../contracts/interfaces/IZkVerifier.sol";
import {IZkVerifierShared} from "../../contracts/interfaces/IZkVerifierShared.sol";
import {ZkSharedConsumer} from "../../contracts/ZkSharedConsumer.sol";
import {OwnConsumer} from "./OwnConsumer.sol";

/// @title The same over the shared verifier
contract SharedConsumer is ZkSharedConsumer {
    event Tried(address indexed caller, bool valid);

    constructor(
        IZkVerifierShared verifier_,
        bytes32 vkHash_,
        bytes memory vk,
        uint256 instanceLength,
        uint256 bindingWord_,
        uint256 gas_
    ) ZkSharedConsumer(verifier_, vkHash_, vk, instanceLength, bindingWord_, gas_) {}

    function take(bytes calldata vk, bytes calldata proof, uint256[] calldata instance) external {
        _verify(vk, proof, instance);
    }

    function takeFor(
        address caller,
        uint64 deadline,
        bytes32 action,
        bytes calldata consent,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance
    ) external {
        _verifyFor(caller, deadline, action, consent, vk, proof, instance);
    }

    function tryFor(
        address caller,
        bytes calldata consent,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance
    ) external returns (bool valid) {
        valid = _tryVerifyFor(caller, 0, 0, consent, vk, proof, instance);
        emit Tried(caller, valid);
    }

    function vote(
        bytes32 scope,
        uint256 word,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance
    ) external {
        _verify(vk, proof, instance);
        _spend(scope, instance[word]);
    }
}

/// @title An account that is a contract, and consents to what it was told to (EIP-1271)
contract Wallet {
    bytes32 public agreed;

    function agree(bytes32 digest) external {
        agreed = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == agreed ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// @title An account that answers whatever it is asked with EIP-1271's word, and zeros up to so many words
contract Talker {
    uint256 private immutable WORDS;

    constructor(uint256 words) {
        WORDS = words;
    }

    fallback() external {
        uint256 words = WORDS;
        assembly ("memory-safe") {
            let said := mload(0x40)
            mstore(said, shl(224, 0x1626ba7e))
            return(said, shl(5, words))
        }
    }
}

/// @title A verifier that reverts as it is told, and answers for any key
contract OddVerifier is IZkVerifier {
    bytes public reason;
    bytes32 public vkHash;

    constructor(bytes32 hash) {
        vkHash = hash;
    }

    function set(bytes calldata reason_) external {
        reason = reason_;
    }

    function rekey(bytes32 hash) external {
        vkHash = hash;
    }

    function boundTo() external view returns (address) {
        return address(this);
    }

    function verify(bytes calldata, uint256[] calldata) external view {
        _fail();
    }

    function verifyBound(bytes calldata, uint256[] calldata, bytes32) external view {
        _fail();
    }

    function _fail() private view {
        bytes memory data = reason;
        assembly ("memory-safe") {
            revert(add(data, 0x20), mload(data))
        }
    }
}

/// @title A verifier that its maker destroys
contract Vanishing is OddVerifier {
    constructor() OddVerifier(bytes32(uint256(1))) {}

    function vanish() external {
        selfdestruct(payable(msg.sender));
    }
}

/// @title Makes a consumer whose verifier is gone at the end of the transaction
contract VanishingFactory {
    address public consumer;

    constructor() {
        Vanishing verifier = new Vanishing();
        consumer = address(new OwnConsumer(verifier, bytes32(uint256(1)), type(uint256).max, 100_000));
        verifier.vanish();
    }
}

/// @title ERC-8004's validation registry, as much of it as a validator meets (after the text that the interface names)
contract ToyValidationRegistry is IERC8004ValidationRegistry {
    struct Status {
        address validator;
        uint256 agentId;
        uint8 response;
        bytes32 responseHash;
        string tag;
        uint256 lastUpdate;
    }

    mapping(bytes32 request => Status) private _status;

    function validationRequest(address validator, uint256 agentId, string calldata, bytes32 requestHash) external {
        require(_status[requestHash].validator == address(0), "exists");
        _status[requestHash].validator = validator;
        _status[requestHash].agentId = agentId;
    }

    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata,
        bytes32 responseHash,
        string calldata tag
    ) external {
        Status storage status = _status[requestHash];
        require(status.validator == msg.sender, "not validator");
        require(response <= 100, "response");
        (status.response, status.responseHash, status.tag, status.lastUpdate) =
            (response, responseHash, tag, block.timestamp);
    }

    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (address, uint256, uint8, bytes32, string memory, uint256)
    {
        Status storage s = _status[requestHash];
        return (s.validator, s.agentId, s.response, s.responseHash, s.tag, s.lastUpdate);
    }
}
