//! Where lines go: the sink trait, memory, and one file a type in a directory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The buffer of each file of a [`DirSink`].
const BUFFER: usize = 256 << 10;

/// Takes the lines of a run, in order.
pub trait Sink {
    /// Takes one line of the type `type_name`, with its newline.
    fn write(&mut self, type_name: &'static str, line_bytes_with_newline: &[u8]) -> io::Result<()>;
}

impl<S: Sink> Sink for &mut S {
    fn write(&mut self, type_name: &'static str, line_bytes_with_newline: &[u8]) -> io::Result<()> {
        (**self).write(type_name, line_bytes_with_newline)
    }
}

/// Keeps every line in memory, with its newline: for tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(
    /// The type and the line, in the order they were written.
    pub Vec<(&'static str, Vec<u8>)>,
);

impl Lines {
    /// All lines one after the other, as one NDJSON text.
    pub fn concatenated(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(_, line)| line).copied().collect()
    }

    /// The lines of one type.
    pub fn of<'a>(&'a self, type_name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(name, _)| *name == type_name)
            .map(|(_, line)| line.as_slice())
    }
}

impl Sink for Lines {
    fn write(&mut self, type_name: &'static str, line_bytes_with_newline: &[u8]) -> io::Result<()> {
        self.0.push((type_name, line_bytes_with_newline.to_vec()));
        Ok(())
    }
}

/// One NDJSON text of all types, for benches that feed one stream.
impl Sink for Vec<u8> {
    fn write(&mut self, _: &'static str, line_bytes_with_newline: &[u8]) -> io::Result<()> {
        self.extend_from_slice(line_bytes_with_newline);
        Ok(())
    }
}

/// Writes `<Type>.ndjson` into a directory, each file through a buffer of 256 KB.
///
/// Call [`DirSink::finish`] at the end: a file that could not be completed is an error there, and would be lost in a drop.
#[derive(Debug)]
pub struct DirSink {
    dir: PathBuf,
    files: Vec<(&'static str, BufWriter<File>)>,
}

impl DirSink {
    /// Makes the directory if needed. Files of the same names are replaced.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn create(dir: impl AsRef<Path>) -> io::Result<Self> {
        let dir = dir.as_ref().to_path_buf();
        std::fs::create_dir_all(&dir)?;
        Ok(Self { dir, files: Vec::new() })
    }

    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(self) -> io::Result<()> {
        for (_, mut file) in self.files {
            file.flush()?;
        }
        Ok(())
    }
}

impl Sink for DirSink {
    fn write(&mut self, type_name: &'static str, line_bytes_with_newline: &[u8]) -> io::Result<()> {
        if let Some((_, file)) = self.files.iter_mut().find(|(name, _)| *name == type_name) {
            return file.write_all(line_bytes_with_newline);
        }
        let file = File::create(self.dir.join(format!("{type_name}.ndjson")))?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        file.write_all(line_bytes_with_newline)?;
        self.files.push((type_name, file));
        Ok(())
    }
}
