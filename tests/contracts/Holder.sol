// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../../contracts/interfaces/IZkVerifier.sol";

/// The least that a contract which relies on proofs does: hold a verifier, and ask it.
contract Holder {
    IZkVerifier private immutable VERIFIER;

    constructor(IZkVerifier verifier) {
        VERIFIER = verifier;
    }

    /// Returns if the verifier does; its revert comes through.
    function claim(bytes calldata proof, uint256[] calldata instance) external view {
        VERIFIER.verify(proof, instance);
    }
}
