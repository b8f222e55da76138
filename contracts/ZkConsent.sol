// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What an account says to a proof that somebody else sends for it
/// @notice A proof that is bound to an account is no signature of that account: whoever has the proving key, which is
/// no secret, can make a proof that is bound to anybody, of an input of his own. So a proof that is not sent by the
/// account that it shall count for needs that account's word for this very proof: an EIP-712 signature.
/// @dev Wallets show the public words to whoever signs. `zkchain.solidity.consent` writes the message. Contracts answer
/// by EIP-1271. An account with a key and code (EIP-7702) may use either.
library ZkConsent {
    /// @dev EIP-712's type of what is signed.
    bytes32 private constant CONSENT = keccak256("Consent(bytes32 binder,bytes proof,uint256[] instance)");
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("zkchain");
    bytes32 private constant VERSION = keccak256("1");
    /// @dev What EIP-1271's isValidSignature answers to a good signature: its own selector.
    bytes4 private constant GOOD = 0x1626ba7e;
    /// @dev Half of secp256k1's order: signatures with a larger s are the mirror images of others (EIP-2).
    uint256 private constant HALF = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice The 32 bytes that are signed, in the domain of this chain and this contract.
    /// @param binder The binder: consumer, caller, his turn, the deadline and the action
    /// @param proof The proof's elements
    /// @param instance Public inputs
    /// @return EIP-712's digest
    function digest(bytes32 binder, bytes calldata proof, uint256[] calldata instance) internal view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN, NAME, VERSION, block.chainid, address(this)));
        bytes32 words = keccak256(abi.encodePacked(instance));
        bytes32 message = keccak256(abi.encode(CONSENT, binder, keccak256(proof), words));
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }

    /// @notice Whether an account signed: by its key, or, where it is a contract, by its own word.
    /// @param account The account
    /// @param digest_ What is signed
    /// @param signature r || s || v of a key, or whatever the contract takes
    /// @return Whether the signature is the account's
    function signed(address account, bytes32 digest_, bytes memory signature) internal view returns (bool) {
        if (account == address(0)) return false; // what ecrecover answers to nonsense
        if (_recover(digest_, signature) == account) return true;
        if (account.code.length == 0) return false;
        bytes memory question = abi.encodeWithSelector(GOOD, digest_, signature);
        bool done;
        bytes32 told;
        assembly ("memory-safe") {
            // a word of the answer and no more: the account chooses its length, and whoever sends pays for a copy
            done := staticcall(gas(), account, add(question, 0x20), mload(question), 0x00, 0x20)
            done := and(done, eq(returndatasize(), 0x20))
            told := mload(0x00)
        }
        return done && told == bytes32(GOOD);
    }

    function _recover(bytes32 digest_, bytes memory signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        if (uint256(s) > HALF) return address(0);
        return ecrecover(digest_, uint8(signature[64]), r, s);
    }
}
