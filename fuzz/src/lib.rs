//! What the fuzz targets share: the checks. The core's tests include the same folder and replay every stored input.

pub mod checks;
