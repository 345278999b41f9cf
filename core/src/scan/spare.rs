//! Strings that are used again: what has to be spelled out for one value needs no memory of its own.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Most strings that a thread keeps, and most bytes that one of them may have kept.
const MOST_KEPT: usize = 8;
const MOST_BYTES: usize = 64 << 10;

thread_local! {
    static KEPT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// An empty string with the memory of one that is no longer needed. Goes back to its thread when it is dropped.
pub(crate) struct Spare(String);

impl Spare {
    pub(crate) fn take() -> Spare {
        let kept = KEPT.try_with(|kept| kept.try_borrow_mut().ok()?.pop());
        Spare(kept.ok().flatten().unwrap_or_default())
    }

    /// The string itself, which does not come back.
    pub(crate) fn into_string(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl From<String> for Spare {
    fn from(text: String) -> Self {
        Spare(text)
    }
}

impl Deref for Spare {
    type Target = String;

    fn deref(&self) -> &String {
        &self.0
    }
}

impl DerefMut for Spare {
    fn deref_mut(&mut self) -> &mut String {
        &mut self.0
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if self.0.capacity() == 0 || self.0.capacity() > MOST_BYTES {
            return;
        }
        let mut text = std::mem::take(&mut self.0);
        text.clear();
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut()
                && kept.len() < MOST_KEPT
            {
                kept.push(text);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_empty_and_never_twice() {
        let mut first = Spare::take();
        first.push_str("some text");
        let place = first.as_ptr();
        drop(first);
        let mut again = Spare::take();
        assert!(again.is_empty() && again.as_ptr() == place);
        let mut other = Spare::take();
        again.push('a');
        other.push('b');
        assert_eq!((again.as_str(), other.as_str()), ("a", "b"));
        assert_eq!(again.into_string(), "a");
    }

    #[test]
    fn long_strings_are_not_kept() {
        let mut long = Spare::take();
        long.push_str(&"x".repeat(MOST_BYTES + 1));
        drop(long);
        let many: Vec<Spare> = (0..20).map(|_| Spare::take()).collect();
        assert!(many.iter().all(|spare| spare.capacity() <= MOST_BYTES));
        drop(many);
    }
}
