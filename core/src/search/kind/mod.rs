//! The search types: text into a matcher, and a matcher against a stored value. One file a type.

pub mod date;
pub mod decimal;
mod folding;
pub mod number;
pub mod prefix;
pub mod quantity;
pub mod reference;
pub mod string;
pub mod token;
pub mod uri;

use std::ops::Range;

/// What is wrong with a value, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// What was expected.
    pub message: String,
    /// The bytes of the value that are wrong.
    pub span: Range<usize>,
}

impl ValueError {
    /// All of the value is wrong.
    pub fn whole(value: &str, message: impl Into<String>) -> Self {
        ValueError {
            message: message.into(),
            span: 0..value.len(),
        }
    }
}
