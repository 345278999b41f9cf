//! Parts: what is kept of one fetched file, a file for each type, compressed as the output will be.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fhirehose_core::error::Error;
use fhirehose_core::sink::{FileName, Sink, Stored};
use fhirehose_native::codec_out::{Assembler, BlockCutter, BlockEncoder, Compression};
use fhirehose_native::writeback::{STEP, Writeback};
use sha2::{Digest as _, Sha256};

use crate::checksum::hexadecimal;
use crate::receipt::{Kind, Part};

const BUFFER: usize = 256 << 10;

/// Writes the parts of one fetched file.
pub(crate) struct PartSink {
    folder: PathBuf,
    /// What all its names begin with.
    prefix: String,
    compression: Compression,
    hashes: bool,
    /// Those that are complete.
    pub(crate) closed: Vec<Part>,
}

/// A part that is being written.
pub(crate) struct PartFile {
    name: FileName,
    path: String,
    out: Out,
    encoding: Option<Encoding>,
    bytes: u64,
}

struct Encoding {
    encoder: BlockEncoder,
    assembler: Assembler,
    cutter: BlockCutter,
    fault: Option<io::Error>,
}

/// The file itself.
struct Out {
    file: File,
    buffer: Vec<u8>,
    hasher: Option<Sha256>,
    size: u64,
    writeback: Writeback,
}

impl PartSink {
    pub(crate) fn new(folder: &Path, prefix: &str, compression: Compression, hashes: bool) -> PartSink {
        PartSink {
            folder: folder.to_owned(),
            prefix: prefix.to_owned(),
            compression,
            hashes,
            closed: Vec::new(),
        }
    }

    fn open(&self, name: &FileName) -> io::Result<PartFile> {
        let path = format!(
            "{}{}-{}-{:03}",
            self.prefix,
            Kind::from(name.kind).word(),
            name.type_name,
            name.sequence
        );
        let mut out = Out {
            file: File::create(self.folder.join(&path))?,
            buffer: Vec::with_capacity(BUFFER),
            hasher: self.hashes.then(Sha256::new),
            size: 0,
            writeback: Writeback::default(),
        };
        let encoding = match self.compression {
            Compression::None => None,
            compression => {
                let assembler = compression.assembler();
                out.write(&assembler.begin())?;
                Some(Encoding {
                    encoder: compression.encoder().map_err(io::Error::other)?,
                    assembler,
                    cutter: BlockCutter::new(compression),
                    fault: None,
                })
            }
        };
        Ok(PartFile {
            name: name.clone(),
            path,
            out,
            encoding,
            bytes: 0,
        })
    }
}

impl PartFile {
    /// SHA-256 of what has been stored so far, where it is made.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        self.out.hasher.clone().map(|hasher| hasher.finalize().into())
    }

    /// Appends whole lines, or pieces of them.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.bytes += lines.len() as u64;
        let Some(encoding) = &mut self.encoding else {
            return self.out.write(lines);
        };
        let Encoding {
            encoder,
            assembler,
            cutter,
            fault,
        } = encoding;
        let out = &mut self.out;
        cutter.push(lines, |job| {
            if let Err(error) = add(&job, encoder, assembler, out) {
                fault.get_or_insert(error);
            }
        });
        fault.take().map_or(Ok(()), Err)
    }

    fn finish(mut self, resources: u64) -> io::Result<Part> {
        if let Some(encoding) = &mut self.encoding {
            let job = encoding.cutter.finish();
            add(&job, &mut encoding.encoder, &mut encoding.assembler, &mut self.out)?;
            self.out.write(&encoding.assembler.finish())?;
        }
        self.out.flush()?;
        let digest = self.out.hasher.take().map(Sha256::finalize);
        Ok(Part {
            kind: self.name.kind.into(),
            type_name: self.name.type_name,
            path: self.path,
            resources,
            bytes: self.bytes,
            size: self.out.size,
            sha256: digest.map(|digest| hexadecimal(&digest)).unwrap_or_default(),
        })
    }
}

fn add(
    job: &fhirehose_native::codec_out::Job,
    encoder: &mut BlockEncoder,
    assembler: &mut Assembler,
    out: &mut Out,
) -> io::Result<()> {
    let encoded = job.encode(encoder).map_err(io::Error::other)?;
    assembler.add(&encoded);
    out.write(&encoded.bytes)
}

impl Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.size / STEP;
        self.size += bytes.len() as u64;
        if self.size / STEP > before {
            self.writeback.start(&self.file);
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        if self.buffer.len() + bytes.len() > BUFFER {
            self.file.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        if bytes.len() >= BUFFER / 2 {
            return self.file.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl PartSink {
    /// SHA-256 of nothing, where checksums are made.
    pub(crate) fn empty(&self) -> Option<[u8; 32]> {
        self.hashes.then(|| Sha256::new().finalize().into())
    }

    /// Opens a part outside the engine.
    pub(crate) fn begin(&self, name: &FileName) -> io::Result<PartFile> {
        self.open(name)
    }

    /// Completes it.
    pub(crate) fn end(&mut self, part: PartFile, resources: u64) -> io::Result<()> {
        self.closed.push(part.finish(resources)?);
        Ok(())
    }

    fn fault(error: io::Error) -> Error {
        Error::sink("a part", error)
    }
}

impl Sink for PartSink {
    type File = PartFile;

    fn create(&mut self, name: &FileName) -> Result<PartFile, Error> {
        self.open(name).map_err(PartSink::fault)
    }

    fn write(&mut self, file: &mut PartFile, lines: &[u8]) -> Result<(), Error> {
        file.write(lines).map_err(PartSink::fault)
    }

    fn close(&mut self, file: PartFile) -> Result<Stored, Error> {
        // How many resources it holds is in the router's report, which fills this in.
        let part = file.finish(0).map_err(PartSink::fault)?;
        let stored = Stored {
            name: part.path.clone(),
            size: part.size,
        };
        self.closed.push(part);
        Ok(stored)
    }
}
