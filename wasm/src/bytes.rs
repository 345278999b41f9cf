//! JavaScript's arrays of bytes, as much of them as is used here: the crate `js-sys` would bring its futures along.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// Bytes that JavaScript holds.
    #[derive(Debug)]
    #[wasm_bindgen(typescript_type = "Uint8Array")]
    pub type Uint8Array;

    /// A copy of bytes.
    #[wasm_bindgen(constructor)]
    pub fn of(bytes: &[u8]) -> Uint8Array;

    /// How many.
    #[wasm_bindgen(method, getter)]
    pub fn length(this: &Uint8Array) -> u32;

    /// Some of them, not copied.
    #[wasm_bindgen(method)]
    pub fn subarray(this: &Uint8Array, from: u32, to: u32) -> Uint8Array;

    #[wasm_bindgen(js_namespace = ["Uint8Array", "prototype", "set"], js_name = "call")]
    fn set(place: &mut [u8], bytes: &Uint8Array);
}

impl Uint8Array {
    /// Copies them to a place of the same length.
    pub fn copy_to(&self, place: &mut [u8]) {
        set(place, self);
    }
}
