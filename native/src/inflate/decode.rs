//! The decoders behind one step function: members one after the other, padding between, nothing unnoticed.

use std::io;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress};
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

use super::{BOUNDED_WINDOW, Codec, InputErrorKind};

/// The memory an xz stream may ask for: 16 times what `xz -9` needs, and no way to take the machine down.
const XZ_MEMORY: u64 = 1 << 30;

type BrotliDecoder = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

enum Engine {
    Gzip(Box<Decompress>),
    Zstd(Zstd),
    Bzip2(bzip2::Decompress),
    Xz(liblzma::stream::Stream),
    Brotli(Box<BrotliDecoder>),
}

/// A zstd decoder that is given no more than the format's next unit: a block, or what stands around it. So what is handed
/// out before damage, and where that is told, does not depend on how the input came.
struct Zstd {
    decoder: zstd::stream::raw::Decoder<'static>,
    /// How many bytes the unit lacks.
    lacks: usize,
    /// How many were taken since damage would be told.
    since: usize,
    /// Units of the frame's header that have been read.
    begun: usize,
    /// There may be plain bytes that had no room.
    is_full: bool,
    /// Damage is not told here; then all at once is faster.
    is_free: bool,
}

/// The first unit of a frame, and how many units make its header.
const ZSTD_PREFIX: usize = 5;
const ZSTD_HEADER: usize = 2;

/// Where the decoder stands in the chain of members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Within,
    /// Between members, this many bytes of zero padding after the last one.
    Between {
        padding: u64,
    },
}

/// What a step did. Neither consumed nor produced nor ended: it needs more input.
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    /// A member was read to its end, checksum included.
    pub(super) ended: bool,
}

/// What is wrong, after so many bytes of the step's input, or `before` so many that were taken earlier.
pub(super) struct Fault {
    pub(super) consumed: usize,
    pub(super) before: usize,
    /// What came before the damage.
    pub(super) produced: usize,
    pub(super) kind: InputErrorKind,
}

impl Fault {
    fn new(consumed: usize, kind: InputErrorKind) -> Fault {
        Fault {
            consumed,
            before: 0,
            produced: 0,
            kind,
        }
    }
}

/// Decodes a chain of members of one codec.
pub(super) struct Decoder {
    codec: Codec,
    engine: Engine,
    stage: Stage,
}

impl Decoder {
    /// Makes a decoder that stands at the beginning of the first member; for [`Codec::Plain`] there is none, and the
    /// caller never asks.
    pub(super) fn new(codec: Codec) -> Result<Self, InputErrorKind> {
        let engine = match codec {
            Codec::Gzip | Codec::Plain => Engine::Gzip(Box::new(Decompress::new_gzip(15))),
            Codec::Zstd => Engine::Zstd(Zstd::new().map_err(|_| InputErrorKind::Memory(codec))?),
            Codec::Bzip2 => Engine::Bzip2(bzip2::Decompress::new(false)),
            Codec::Xz => Engine::Xz(xz_engine()?),
            Codec::Brotli => Engine::Brotli(Box::new(BrotliState::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
        };
        Ok(Self {
            codec,
            engine,
            stage: Stage::Within,
        })
    }

    /// Makes a decoder that stands behind a member.
    pub(super) fn between(codec: Codec) -> Result<Self, InputErrorKind> {
        let mut decoder = Self::new(codec)?;
        decoder.stage = Stage::Between { padding: 0 };
        Ok(decoder)
    }

    /// Refuses zstd windows that are larger than a bound, until the next decoder is made. `false`: it cannot be told to.
    pub(super) fn bound(&mut self) -> bool {
        match &mut self.engine {
            Engine::Zstd(engine) => {
                let bound = DParameter::WindowLogMax(BOUNDED_WINDOW);
                engine.decoder.set_parameter(bound).is_ok()
            }
            _ => true,
        }
    }

    /// Says that it does not matter where damage is told.
    pub(super) fn free(&mut self) {
        if let Engine::Zstd(engine) = &mut self.engine {
            engine.is_free = true;
        }
    }

    /// Whether it stands directly behind a member.
    pub(super) fn is_between(&self) -> bool {
        self.stage == Stage::Between { padding: 0 }
    }

    /// Whether the input may end here.
    pub(super) fn may_end(&self) -> bool {
        match self.stage {
            Stage::Within => false,
            Stage::Between { padding } => self.codec != Codec::Xz || padding.is_multiple_of(4),
        }
    }

    /// Decodes some of `input` into `out`, which has room.
    pub(super) fn step(&mut self, input: &[u8], out: &mut [u8], at_end: bool) -> Result<Step, Fault> {
        if let Stage::Between { padding } = self.stage {
            return self.step_between(padding, input);
        }
        let step = match &mut self.engine {
            Engine::Gzip(engine) => step_gzip(engine, input, out),
            Engine::Zstd(engine) => engine.step(input, out),
            Engine::Bzip2(engine) => step_bzip2(engine, input, out),
            Engine::Xz(engine) => step_xz(engine, input, out, at_end),
            Engine::Brotli(engine) => step_brotli(engine, input, out),
        }?;
        if step.ended {
            self.stage = Stage::Between { padding: 0 };
        }
        Ok(step)
    }

    /// Skips padding, and begins the next member where its first byte is there.
    fn step_between(&mut self, padding: u64, input: &[u8]) -> Result<Step, Fault> {
        let zeros = if matches!(self.codec, Codec::Gzip | Codec::Xz) {
            input.iter().take_while(|&&byte| byte == 0).count()
        } else {
            0
        };
        let padding = padding + zeros as u64;
        self.stage = Stage::Between { padding };
        let Some(&first) = input.get(zeros) else {
            return Ok(Step {
                consumed: zeros,
                produced: 0,
                ended: false,
            });
        };
        let is_member = match self.codec {
            Codec::Gzip => first == 0x1f && padding == 0,
            Codec::Zstd => first == 0x28 || (0x50..=0x5f).contains(&first),
            Codec::Bzip2 => first == b'B',
            Codec::Xz => first == 0xfd && padding.is_multiple_of(4),
            Codec::Brotli | Codec::Plain => false,
        };
        if !is_member {
            return Err(Fault::new(zeros, InputErrorKind::TrailingGarbage(self.codec)));
        }
        match &mut self.engine {
            Engine::Gzip(engine) => engine.reset(true),
            Engine::Bzip2(engine) => *engine = bzip2::Decompress::new(false),
            Engine::Xz(engine) => *engine = xz_engine().map_err(|kind| Fault::new(zeros, kind))?,
            // A zstd decoder begins the next frame by itself; brotli never has a second stream.
            Engine::Zstd(_) | Engine::Brotli(_) => {}
        }
        self.stage = Stage::Within;
        // Reported as progress, so that the caller steps again with the same input.
        Ok(Step {
            consumed: zeros,
            produced: 0,
            ended: true,
        })
    }
}

fn xz_engine() -> Result<liblzma::stream::Stream, InputErrorKind> {
    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::TELL_UNSUPPORTED_CHECK)
        .map_err(|_| InputErrorKind::Memory(Codec::Xz))
}

fn step_gzip(engine: &mut Decompress, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
    let (before_in, before_out) = (engine.total_in(), engine.total_out());
    let status = engine.decompress(input, out, FlushDecompress::None);
    let consumed = (engine.total_in() - before_in) as usize;
    let produced = (engine.total_out() - before_out) as usize;
    match status {
        Ok(status) => Ok(Step {
            consumed,
            produced,
            ended: status == flate2::Status::StreamEnd,
        }),
        Err(_) => Err(Fault {
            produced,
            ..Fault::new(consumed, InputErrorKind::Corrupt(Codec::Gzip))
        }),
    }
}

impl Zstd {
    fn new() -> io::Result<Zstd> {
        Ok(Zstd {
            decoder: zstd::stream::raw::Decoder::new()?,
            lacks: ZSTD_PREFIX,
            since: 0,
            begun: 0,
            is_full: false,
            is_free: false,
        })
    }

    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
        if self.is_free {
            return self.run(input, out);
        }
        if self.is_full {
            // Before anything new can be found to be damaged.
            let step = self.run(&[], out)?;
            if step.produced > 0 || step.ended {
                return Ok(step);
            }
        }
        self.run(&input[..input.len().min(self.lacks)], out)
    }

    fn run(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
        let mut source = InBuffer::around(input);
        let room = out.len();
        let mut sink = OutBuffer::around(out);
        match self.decoder.run(&mut source, &mut sink) {
            Ok(hint) => {
                self.is_full = sink.pos() == room;
                self.count(source.pos(), hint);
                Ok(Step {
                    consumed: source.pos(),
                    produced: sink.pos(),
                    ended: hint == 0,
                })
            }
            Err(e) => {
                // The library tells a window that is too large only by its text.
                let memory = e.to_string().contains("memory");
                let kind = if memory {
                    InputErrorKind::Memory(Codec::Zstd)
                } else {
                    InputErrorKind::Corrupt(Codec::Zstd)
                };
                Err(Fault {
                    before: self.since,
                    ..Fault::new(0, kind)
                })
            }
        }
    }

    fn count(&mut self, consumed: usize, hint: usize) {
        self.since += consumed;
        if hint == 0 {
            (self.lacks, self.since, self.begun) = (ZSTD_PREFIX, 0, 0);
            return;
        }
        if consumed == 0 {
            // Asked with nothing, it says what it would like best, which is more than it needs.
            return;
        }
        if consumed == self.lacks {
            self.begun = (self.begun + 1).min(ZSTD_HEADER);
            if self.begun == ZSTD_HEADER {
                self.since = 0;
            }
        }
        self.lacks = hint;
    }
}

fn step_bzip2(engine: &mut bzip2::Decompress, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
    let (before_in, before_out) = (engine.total_in(), engine.total_out());
    let status = engine.decompress(input, out);
    let consumed = (engine.total_in() - before_in) as usize;
    let kind = match status {
        Ok(bzip2::Status::MemNeeded) => InputErrorKind::Memory(Codec::Bzip2),
        Ok(status) => {
            let produced = (engine.total_out() - before_out) as usize;
            return Ok(Step {
                consumed,
                produced,
                ended: status == bzip2::Status::StreamEnd,
            });
        }
        Err(_) => InputErrorKind::Corrupt(Codec::Bzip2),
    };
    Err(Fault::new(consumed, kind))
}

fn step_xz(engine: &mut liblzma::stream::Stream, input: &[u8], out: &mut [u8], at_end: bool) -> Result<Step, Fault> {
    use liblzma::stream::{Action, Error, Status};
    let (before_in, before_out) = (engine.total_in(), engine.total_out());
    let action = if at_end { Action::Finish } else { Action::Run };
    let status = engine.process(input, out, action);
    let consumed = (engine.total_in() - before_in) as usize;
    let kind = match status {
        Ok(status) => {
            let produced = (engine.total_out() - before_out) as usize;
            return Ok(Step {
                consumed,
                produced,
                ended: status == Status::StreamEnd,
            });
        }
        Err(Error::Mem | Error::MemLimit) => InputErrorKind::Memory(Codec::Xz),
        Err(_) => InputErrorKind::Corrupt(Codec::Xz),
    };
    Err(Fault::new(consumed, kind))
}

fn step_brotli(engine: &mut BrotliDecoder, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
    let (mut available_in, mut consumed) = (input.len(), 0);
    let (mut available_out, mut produced) = (out.len(), 0);
    let mut total_out = 0;
    let result = BrotliDecompressStream(
        &mut available_in,
        &mut consumed,
        input,
        &mut available_out,
        &mut produced,
        out,
        &mut total_out,
        engine,
    );
    match result {
        BrotliResult::ResultFailure => Err(Fault::new(consumed, InputErrorKind::Corrupt(Codec::Brotli))),
        other => Ok(Step {
            consumed,
            produced,
            ended: matches!(other, BrotliResult::ResultSuccess),
        }),
    }
}
