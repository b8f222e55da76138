// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What a proof is bound to, besides the chain and the verifier
/// @notice A proof that is bound to its consumer, its sender and a counter can neither be copied by who sees it, nor
/// shown to another contract, nor sent twice. The prover computes the same (`zkchain.solidity.binder`, `zkchain prove
/// --for`).
library ZkBinder {
    /// @dev Bits of a context that one public word carries, and words that carry it: 208 bits in all. Two contexts that
    /// share them take 2^104 steps to find, more than BN254 itself.
    uint256 internal constant WORD_BITS = 52;
    uint256 internal constant CONTEXT_WORDS = 4;

    /// @notice The binder of one proof of `caller` for one consumer.
    /// @param consumer The contract that the proof is for, always address(this)
    /// @param caller Whose proof it is, usually msg.sender
    /// @param counter A number that the consumer uses once for every caller; with a deadline see `turn`
    /// @return keccak256(abi.encode(consumer, caller, counter))
    function forConsumer(address consumer, address caller, uint256 counter) internal pure returns (bytes32) {
        return keccak256(abi.encode(consumer, caller, counter));
    }

    /// @notice A counter and a deadline as one number, so that whoever sends the proof cannot move the deadline.
    /// @param counter The counter, below 2^64
    /// @param deadline Last second (block.timestamp) at which the proof may be used; 0: none
    /// @return deadline * 2^64 + counter
    function turn(uint64 counter, uint64 deadline) internal pure returns (uint256) {
        return (uint256(deadline) << 64) | counter;
    }

    /// @notice A binder that covers what shall be done, too, so that whoever sends the proof cannot change it.
    /// @param binder Binder of consumer, caller and counter
    /// @param action Hash of what shall be done, such as an amount and a recipient; 0: nothing is added
    /// @return keccak256(abi.encode(binder, action)), or `binder` itself
    function withAction(bytes32 binder, bytes32 action) internal pure returns (bytes32) {
        return action == 0 ? binder : keccak256(abi.encode(binder, action));
    }

    /// @notice The context of a bound proof: what a CG16 verifier hashes into the challenge, and what the public input
    /// `binder` of a plain circuit has to hold.
    /// @param verifier The contract that proofs are bound to: `IZkVerifier.boundTo`
    /// @param binder The binder
    /// @return keccak256(abi.encode(chain id, verifier, binder))
    function context(address verifier, bytes32 binder) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, verifier, binder));
    }

    /// @notice Whether public words carry a context: plain Groth16 has no challenge, so its circuits have a public
    /// input for it, four integers of 52 bits, the context's highest bits first.
    /// @param context_ The context
    /// @param instance Public inputs
    /// @param first Number of the first of the four words
    /// @return Whether they are there and equal
    function carries(bytes32 context_, uint256[] calldata instance, uint256 first) internal pure returns (bool) {
        if (first > instance.length || instance.length - first < CONTEXT_WORDS) return false;
        uint256 left = uint256(context_);
        for (uint256 i = 0; i < CONTEXT_WORDS; ++i) {
            if (instance[first + i] != left >> (256 - WORD_BITS)) return false;
            left <<= WORD_BITS;
        }
        return true;
    }
}
