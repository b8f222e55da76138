// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ZkBinder} from "./ZkBinder.sol";
import {ZkConsent} from "./ZkConsent.sol";

/// @title What makes a proof good once: counters, deadlines, nullifiers
/// @notice `ZkConsumer` and `ZkSharedConsumer` stand on it. It holds no verifier.
/// @dev A counter per caller, and not a slot per proof: a caller's counter takes one slot, however many proofs he sends
/// (a fresh slot costs 22,100 gas, and by EIP-8037 five times as much).
abstract contract ZkReplayGuard {
    /// @notice The proof's deadline has passed.
    error DeadlinePassed(uint256 time, uint256 deadline);
    /// @notice Somebody else sent the proof, and this account did not sign it.
    error NoConsent(address caller);
    /// @notice This nullifier was spent in this scope before.
    error NullifierSpent(bytes32 scope, uint256 nullifier);

    /// @notice A nullifier was spent.
    /// @param scope What it was for
    /// @param nullifier A value that the circuit proves
    event Spent(bytes32 indexed scope, uint256 indexed nullifier);

    mapping(address caller => uint64 counter) private _counters;
    mapping(bytes32 scope => mapping(uint256 nullifier => bool)) private _spent;

    /// @notice The number that the next proof of an address must be bound to.
    /// @param caller The address
    /// @return Its counter: how many of its proofs were taken
    function counterOf(address caller) public view returns (uint64) {
        return _counters[caller];
    }

    /// @notice The binder of the next proof of an address (`zkchain prove --for THIS --caller ADDRESS`).
    /// @param caller Whose proof
    /// @param deadline Last second at which it may be used; 0: none
    /// @param action Hash of what shall be done with it; 0: none
    /// @return The 32 bytes that the prover binds the proof to
    function binderOf(address caller, uint64 deadline, bytes32 action) public view returns (bytes32) {
        uint256 turn = ZkBinder.turn(_counters[caller], deadline);
        return ZkBinder.withAction(ZkBinder.forConsumer(address(this), caller, turn), action);
    }

    /// @notice What an account has to sign so that somebody else can send its next proof: EIP-712, see `ZkConsent`.
    /// @param caller Whose proof
    /// @param deadline Last second at which it may be used; 0: none
    /// @param action Hash of what shall be done with it; 0: none
    /// @param proof The proof's elements
    /// @param instance Public inputs
    /// @return The digest
    function consentDigest(
        address caller,
        uint64 deadline,
        bytes32 action,
        bytes calldata proof,
        uint256[] calldata instance
    ) external view returns (bytes32) {
        return ZkConsent.digest(binderOf(caller, deadline, action), proof, instance);
    }

    /// @notice Whether a nullifier was spent.
    /// @param scope What it is for: "one vote in election 7", say, as a hash
    /// @param nullifier A value that the circuit proves
    /// @return True when it cannot be spent again
    function isSpent(bytes32 scope, uint256 nullifier) public view returns (bool) {
        return _spent[scope][nullifier];
    }

    /// @dev The binder of the caller's next proof, after its deadline was checked. Does not move the counter.
    function _binder(address caller, uint64 deadline, bytes32 action) internal view returns (bytes32) {
        if (deadline != 0 && block.timestamp > deadline) revert DeadlinePassed(block.timestamp, deadline);
        return binderOf(caller, deadline, action);
    }

    /// @dev Reverts unless the sender is the caller, or has his signature under this proof for this turn. A proof alone
    /// says nothing of who made it, whatever it is bound to.
    function _requireConsent(
        address caller,
        bytes32 binder,
        bytes memory consent,
        bytes calldata proof,
        uint256[] calldata instance
    ) internal view {
        if (caller == msg.sender) return;
        if (!ZkConsent.signed(caller, ZkConsent.digest(binder, proof, instance), consent)) revert NoConsent(caller);
    }

    /// @dev The caller's proof was taken: the next one needs another.
    function _count(address caller) internal {
        ++_counters[caller];
    }

    /// @dev Spends a nullifier. It has to be a public word, or a number decoded from one, of an instance that was
    /// verified: never a proof's bytes or hash, since anyone can make another valid proof of the same statement from
    /// it.
    function _spend(bytes32 scope, uint256 nullifier) internal {
        if (_spent[scope][nullifier]) revert NullifierSpent(scope, nullifier);
        _spent[scope][nullifier] = true;
        emit Spent(scope, nullifier);
    }
}
