//! SHA-256 of what comes: what browsers have can only be given everything at once.

use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::wasm_bindgen;

/// A sum that is under way.
#[wasm_bindgen]
#[derive(Clone, Debug, Default)]
pub struct Sum {
    state: Sha256,
}

#[wasm_bindgen]
impl Sum {
    /// A sum of nothing.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Sum {
        Sum::default()
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    /// The sum so far: 32 bytes.
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        self.state.clone().finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_as_good_as_the_whole() {
        let mut sum = Sum::new();
        sum.add(b"ab");
        sum.add(b"c");
        let hexadecimal: String = sum.value().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hexadecimal,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
