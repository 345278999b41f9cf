//! Puts the demo page into the program where FHIREHOSE_BROWSER_PAGE names the folder of a built one (scripts/wasm-demo).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/browser/folder.rs"]
mod folder;

const VARIABLE: &str = "FHIREHOSE_BROWSER_PAGE";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/browser/folder.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let mut list = "[".to_owned();
    if let Some(page) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let page =
            fs::canonicalize(&page).map_err(|error| format!("{VARIABLE}: {}: {error}", Path::new(&page).display()))?;
        println!("cargo::rerun-if-changed={}", page.display());
        let found = folder::list(&page).map_err(|error| format!("{VARIABLE}: {}: {error}", page.display()))?;
        for file in found {
            let path = file.path.to_str().ok_or("the path of the page is no UTF-8")?;
            write!(
                list,
                "({:?}, {:?}, include_bytes!({path:?})),",
                file.name, file.media_type
            )?;
        }
    }
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    let text = format!("&{list}");
    fs::write(out.join("browser_page.rs"), text)?;
    Ok(())
}
