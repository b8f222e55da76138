// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "zkchain/interfaces/IZkVerifier.sol";
import {CreditKey} from "./CreditKey.sol";
import {CreditTypes} from "./CreditTypes.sol";

/// @title A pool that lends what a private credit model finds good, over data that stay private
/// @notice The model has two inputs: `loan` (amount, months) is public, so that what is lent is what was scored; what
/// the applicant tells of himself is not. The proof is bound to this pool, the applicant and his turn.
/// @dev An example. That the private data are true nobody proves here: a lender takes them from a source that signs or
/// commits to them.
contract CreditPool is CreditKey {
    /// @notice The model finds this loan too risky.
    error Declined(int256 probability, int256 least);
    /// @notice The proof is about another amount.
    error AnotherLoan(uint256 scored, uint256 asked);
    /// @notice The sender has a loan already.
    error StillOwes(uint256 amount);
    /// @notice The ether could not be sent.
    error NotPaid();

    /// @notice `who` owes `amount`, to be paid back by `due`; `probability` that it will be, with 18 decimals.
    event Lent(address indexed who, uint256 amount, uint256 due, int256 probability);
    /// @notice `who` paid back what he owed.
    event Repaid(address indexed who, uint256 amount);

    /// @notice Wei that one unit of the model's amount (a mark of 1994) stands for here.
    uint256 public constant UNIT = 1e12;
    /// @notice Probability of a good loan from which the pool lends, with 18 decimals.
    int256 public constant LEAST = 0.6e18;
    /// @notice What somebody owes.
    mapping(address who => uint256 amount) public owed;

    /// @param verifier_ A verifier of the model's key
    constructor(IZkVerifier verifier_) CreditKey(verifier_) {}

    /// @notice Anybody puts ether into the pool.
    receive() external payable {}

    /// @notice Borrow `amount`, in the model's unit.
    /// @param amount What the loan was scored for
    /// @param proof A proof of the sender's, bound to this pool and his turn
    /// @param instance The public words: the loan, and the model's verdict
    function borrow(uint256 amount, bytes calldata proof, uint256[] calldata instance) external {
        if (owed[msg.sender] != 0) revert StillOwes(owed[msg.sender]);
        _verify(proof, instance);
        uint256 scored = CreditTypes.inputLoanUint(instance, 0);
        if (scored != amount) revert AnotherLoan(scored, amount);
        int256 probability = CreditTypes.outputProbabilitiesWad(instance, 1);
        if (probability < LEAST) revert Declined(probability, LEAST);
        owed[msg.sender] = amount * UNIT;
        uint256 due = block.timestamp + CreditTypes.inputLoanUint(instance, 1) * 30 days;
        emit Lent(msg.sender, amount * UNIT, due, probability);
        (bool paid,) = msg.sender.call{value: amount * UNIT}("");
        if (!paid) revert NotPaid();
    }

    /// @notice Pay back all that the sender owes; what is too much stays in the pool.
    function repay() external payable {
        uint256 amount = owed[msg.sender];
        if (msg.value < amount) revert StillOwes(amount);
        owed[msg.sender] = 0;
        emit Repaid(msg.sender, amount);
    }
}
