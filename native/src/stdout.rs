//! Kept lines on standard output, in input order.

use std::io::{self, Write};
use std::sync::Arc;

use fhirehose_core::error::Error;
use fhirehose_core::sink::{FileKind, FileName, Sink, Stored};

use crate::codec_out::{BlockEncoder, Compression};
use crate::compress::{Queue, Writer};
use crate::output_error::OutputError;

const BUFFER: usize = 256 << 10;
const NAME: &str = "standard output";

/// Writes the lines of every type into one stream.
pub(crate) struct StdoutSink {
    target: Target,
    queue: Arc<Queue>,
}

enum Target {
    Plain {
        out: Box<dyn Write + Send>,
        buffer: Vec<u8>,
    },
    Compressed {
        writer: Option<Writer>,
        encoder: BlockEncoder,
    },
}

impl StdoutSink {
    pub(crate) fn new(compression: Compression, queue: Arc<Queue>) -> Result<Self, OutputError> {
        let target = match compression {
            Compression::None => Target::Plain {
                out: standard_output()?,
                buffer: Vec::with_capacity(BUFFER),
            },
            compression => Target::Compressed {
                writer: Some(Writer::new(NAME, compression, standard_output()?)),
                encoder: compression
                    .encoder()
                    .map_err(|error| OutputError::new("compress for", NAME, &io::Error::other(error)))?,
            },
        };
        Ok(StdoutSink { target, queue })
    }

    fn put(&mut self, lines: &[u8]) -> Result<(), OutputError> {
        match &mut self.target {
            Target::Plain { out, buffer } => {
                buffer.extend_from_slice(lines);
                if buffer.len() >= BUFFER {
                    flush(out.as_mut(), buffer)?;
                }
            }
            Target::Compressed { writer, encoder } => {
                if let Some(writer) = writer {
                    writer.push(lines, &self.queue);
                }
                while self.queue.len() > 4 {
                    self.queue.help(encoder);
                }
            }
        }
        self.queue.failure().map_or(Ok(()), Err)
    }

    /// Writes what is still held. With compression the queue has to be worked off afterwards.
    pub(crate) fn finish(&mut self) -> Result<(), OutputError> {
        match &mut self.target {
            Target::Plain { out, buffer } => flush(out.as_mut(), buffer),
            Target::Compressed { writer, .. } => {
                if let Some(writer) = writer.take() {
                    writer.finish(&self.queue);
                }
                Ok(())
            }
        }
    }
}

/// Standard output, with its errors: the library's own takes one that cannot be written for one that was written.
fn standard_output() -> Result<Box<dyn Write + Send>, OutputError> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let descriptor = io::stdout().as_fd().try_clone_to_owned();
        let descriptor = descriptor.map_err(|error| OutputError::new("write", NAME, &error))?;
        Ok(Box::new(std::fs::File::from(descriptor)))
    }
    #[cfg(not(unix))]
    Ok(Box::new(io::stdout()))
}

fn flush(out: &mut dyn Write, buffer: &mut Vec<u8>) -> Result<(), OutputError> {
    let written = out.write_all(buffer).and_then(|()| out.flush());
    buffer.clear();
    written.map_err(|error| OutputError::new("write", NAME, &error))
}

impl Sink for StdoutSink {
    /// Whether the lines are shown: outcomes about bad lines are not.
    type File = bool;

    fn create(&mut self, name: &FileName) -> Result<bool, Error> {
        Ok(name.kind == FileKind::Output)
    }

    fn write(&mut self, file: &mut bool, lines: &[u8]) -> Result<(), Error> {
        if *file {
            self.put(lines).map_err(|error| Error::sink("output", error))
        } else {
            Ok(())
        }
    }

    fn close(&mut self, _: bool) -> Result<Stored, Error> {
        Ok(Stored::default())
    }
}
