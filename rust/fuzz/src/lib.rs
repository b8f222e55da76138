//! What each target does with its input: shared with the mutation tests of the core.

#[path = "../../core/tests/common/exercise.rs"]
pub mod exercise;
