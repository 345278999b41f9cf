//! A compiled request, as JavaScript holds it.

use fhirehose_core::plan::Plan as Compiled;
use fhirehose_core::quote::Tree;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::group;
use crate::request::{self, Asked};
use crate::run::name_of;

/// A request, compiled once, for any number of runs.
#[wasm_bindgen]
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) asked: Asked,
    pub(crate) compiled: Compiled,
}

#[wasm_bindgen]
impl Plan {
    /// Compiles a request, which is JSON.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn compile(request: &str) -> Result<Plan, String> {
        let (asked, compiled) = request::compile(request).map_err(|unread| unread.told())?;
        Ok(Plan { asked, compiled })
    }

    /// What is read and tested, for people.
    #[must_use]
    pub fn explain(&self) -> String {
        self.compiled.explain()
    }

    /// The same as JSON.
    #[wasm_bindgen(js_name = explainJson)]
    #[must_use]
    pub fn explain_json(&self) -> String {
        self.compiled.explain_json()
    }

    /// What a caller has to know before a run, as JSON: `passes` over the input, the main one first, but for `cohort`, which finds
    /// the members of a group; whether files roll over.
    #[must_use]
    pub fn facts(&self) -> String {
        let before = group::has_group(self.asked.request.cohort.as_ref()).then_some(group::NAME);
        let later = self.compiled.stages().iter().copied().map(name_of);
        let limits = self.asked.limits;
        Tree::Object(vec![
            ("passes", Tree::texts(before.into_iter().chain(["main"]).chain(later))),
            (
                "rollsOver",
                Tree::Boolean(limits.max_resources.is_some() || limits.max_bytes.is_some()),
            ),
        ])
        .pretty()
    }
}
