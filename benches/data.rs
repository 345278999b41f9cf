//! Lines to measure on: real data from a folder outside the project, or synthetic ones.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use fhirehose_synth::{Generator, Options, Profile, Sink};
use flate2::read::MultiGzDecoder;

/// The bytes of one shape: more than the caches hold, so that memory is a part of what is measured.
pub const TARGET: usize = 16 << 20;

/// The bytes of one shape in a smoke run, which measures nothing.
pub const SMOKE: usize = 256 << 10;

/// Where lines come from.
#[derive(Debug)]
pub enum Data {
    /// The files of a folder, as pairs of type and lines, cut to size.
    Folder(Vec<(String, Vec<u8>)>),
    /// Lines of well-behaved synthetic patients, by type.
    Synthetic(Vec<(String, Vec<u8>)>),
}

/// Whether the benches are run once, for their answers only: `cargo bench -- --test`.
pub fn is_smoke() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// The bytes that a shape gets in this run.
pub fn target() -> usize {
    if is_smoke() { SMOKE } else { TARGET }
}

impl Data {
    /// From the folder in `FHIREHOSE_DATA`, else synthetic.
    ///
    /// # Panics
    /// When the folder cannot be read: a number about other data would mislead.
    pub fn load() -> Self {
        match fhirehose_tests::data::folder() {
            Some(folder) => {
                Data::Folder(read_folder(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())))
            }
            None => Data::Synthetic(synthetic()),
        }
    }

    /// For the id of a bench.
    pub fn name(&self) -> &'static str {
        match self {
            Data::Folder(_) => "folder",
            Data::Synthetic(_) => "synthetic",
        }
    }

    /// Lines of one type, cut behind the last line that fits.
    pub fn of(&self, type_name: &str) -> &[u8] {
        let (Data::Folder(types) | Data::Synthetic(types)) = self;
        types
            .iter()
            .find(|(name, _)| name == type_name)
            .map_or(&[], |(_, lines)| lines)
    }
}

/// The lines of which the first `most` bytes hold the end; at least one, if there is one.
fn whole_lines(lines: &[u8], most: usize) -> &[u8] {
    let head = &lines[..most.min(lines.len())];
    let end = memchr::memrchr(b'\n', head).or_else(|| memchr::memchr(b'\n', lines));
    end.map_or(&[], |newline| &lines[..=newline])
}

fn read_folder(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut types = Vec::new();
    for path in fhirehose_tests::data::files(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let type_name = name.split('.').next().unwrap_or_default().to_owned();
        let packed = name.ends_with(".gz");
        let file = File::open(&path)?;
        let limit = target() as u64;
        let mut lines = Vec::new();
        if packed {
            MultiGzDecoder::new(file).take(limit).read_to_end(&mut lines)?;
        } else {
            file.take(limit).read_to_end(&mut lines)?;
        }
        if (lines.len() as u64) < limit && lines.last().is_some_and(|&byte| byte != b'\n') {
            lines.push(b'\n');
        }
        lines.truncate(whole_lines(&lines, lines.len()).len());
        types.push((type_name, lines));
    }
    Ok(types)
}

/// Collects lines by type until each type that a shape stands on has enough.
#[derive(Default)]
struct ByType(Vec<(String, Vec<u8>)>);

impl Sink for ByType {
    fn write(&mut self, type_name: &'static str, line: &[u8]) -> io::Result<()> {
        match self.0.iter_mut().find(|(name, _)| name == type_name) {
            Some((_, lines)) if lines.len() < target() => lines.extend_from_slice(line),
            Some(_) => {}
            None => self.0.push((type_name.to_owned(), line.to_vec())),
        }
        Ok(())
    }
}

fn synthetic() -> Vec<(String, Vec<u8>)> {
    let mut generator = Generator::new(&Options {
        profile: Profile::Regular,
        ..Options::new(0, 1)
    });
    let mut types = ByType::default();
    let mut patient = 0;
    let enough = |types: &ByType| {
        let observations = types.0.iter().find(|(name, _)| name == "Observation");
        observations.is_some_and(|(_, lines)| lines.len() >= target())
    };
    while !enough(&types) {
        // The sink refuses nothing.
        let _ = generator.patient(patient, &mut types);
        patient += 1;
    }
    types.0
}
