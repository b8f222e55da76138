// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "zkchain/interfaces/IZkVerifier.sol";
import {DigitsKey} from "./DigitsKey.sol";
import {DigitsTypes} from "./DigitsTypes.sol";

/// @title An oracle that reads digits: anybody brings an image and a proof of what the model sees in it
/// @notice The image is public; an answer is taken once for every image, and only if the model is sure of it.
contract DigitOracle is DigitsKey {
    /// @notice The best two scores are too close to each other.
    error Unsure(int256 margin, int256 least);

    /// @notice The model reads `digit` in the image, by `reader`'s proof.
    event Read(bytes32 indexed image, uint256 indexed digit, address indexed reader);

    /// @notice How far the best score has to be above the next, with 18 decimals.
    int256 public constant LEAST = 1e18;
    /// @dev Images are read once.
    bytes32 private constant IMAGES = keccak256("DigitOracle: images");
    /// @notice The digit in an image, plus one; 0: not read yet.
    mapping(bytes32 image => uint256) public answerOf;

    /// @param verifier_ A verifier of the model's key
    constructor(IZkVerifier verifier_) DigitsKey(verifier_) {}

    /// @notice Have an image read.
    /// @param proof A proof of the sender's, bound to this oracle and his turn
    /// @param instance The public words: image, label, scores
    function read(bytes calldata proof, uint256[] calldata instance) external {
        _verify(proof, instance);
        int256 margin = _margin(instance);
        if (margin < LEAST) revert Unsure(margin, LEAST);
        bytes32 image = keccak256(abi.encode(DigitsTypes.inputImageAll(instance)));
        _spend(IMAGES, uint256(image)); // pixels that the circuit shows, not the proof
        uint256 digit = DigitsTypes.outputLabelUint(instance);
        answerOf[image] = digit + 1;
        emit Read(image, digit, msg.sender);
    }

    /// @dev Best score minus the next best, with 18 decimals.
    function _margin(uint256[] calldata instance) private pure returns (int256) {
        uint256 label = DigitsTypes.outputLabelUint(instance);
        int256 next = type(int256).min;
        for (uint256 i = 0; i < DigitsTypes.OUTPUT_LOGITS_SIZE; ++i) {
            int256 score = DigitsTypes.outputLogitsWad(instance, i);
            if (i != label && score > next) next = score;
        }
        return DigitsTypes.outputLogitsWad(instance, label) - next;
    }
}
