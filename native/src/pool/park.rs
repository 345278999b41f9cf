//! What is kept of a block, apart from the block: it may have to wait long for its turn.

use fhirehose_core::sieve::{BadAt, Batch, Run};

use super::Work;

impl Work {
    /// How many bytes of the block were kept as they are.
    pub(super) fn kept(&self) -> usize {
        let plain = self.batch.runs.iter().filter(|run| !run.made);
        plain.map(|run| (run.end - run.start) as usize).sum()
    }

    /// Copies to another place what was kept and nothing else, so that the buffer can be read into again.
    pub(super) fn park(&self, to: &mut Work) {
        let lines = self.block.lines();
        let (mut kept, mut runs) = (self.block.copy_to(&mut to.block), std::mem::take(&mut to.batch.runs));
        runs.clear();
        kept.reserve(self.kept());
        for run in &self.batch.runs {
            if run.made {
                runs.push(*run);
                continue;
            }
            // No more than the block had.
            let start = kept.len() as u32;
            kept.extend_from_slice(&lines[run.start as usize..run.end as usize]);
            let end = kept.len() as u32;
            runs.push(Run { start, end, ..*run });
        }
        to.block.set_lines(kept);
        let Batch { made, bad, read, .. } = &self.batch;
        to.batch.runs = runs;
        to.batch.made.clone_from(made);
        to.batch.bad.clone_from(bad);
        to.batch.read.clone_from(read);
        (to.batch.lines, to.batch.bytes) = (self.batch.lines, self.batch.bytes);
        to.batch.length = self.batch.length;
        // By what it has taken, not by what is in it.
        let Batch {
            runs, made, bad, read, ..
        } = &to.batch;
        to.parked = size_of::<Work>()
            + to.block.memory()
            + runs.capacity() * size_of::<Run>()
            + made.capacity()
            + bad.capacity() * size_of::<BadAt>()
            + read.capacity() * size_of::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhirehose_core::error::Error;
    use fhirehose_core::partition::Limits;
    use fhirehose_core::plan::Plan;
    use fhirehose_core::request::Request;
    use fhirehose_core::router::Router;
    use fhirehose_core::search::table::Registry;
    use fhirehose_core::sieve::{self, Scratch};
    use fhirehose_core::sink::{FileName, Origin, Sink, Stored};

    #[test]
    fn what_was_kept_is_the_same_and_the_rest_is_gone() {
        let request = Request {
            type_filters: vec!["Patient?gender=female".into()],
            ..Request::default()
        };
        let plan = Plan::compile(&request, &Registry::r4()).expect("valid request");
        let line = |gender: &str| format!("{{\"resourceType\":\"Patient\",\"id\":\"a\",\"gender\":\"{gender}\"}}\n");
        let mut text = [line("male"), line("female"), "x\n".into(), line("male"), line("female")].concat();
        text.push_str(&line("male").repeat(1000));
        let mut work = Work::default();
        work.block.set_lines(text.into_bytes());
        sieve::run(&plan, work.block.lines(), &mut Scratch::default(), &mut work.batch);
        let mut parked = Work::default();
        parked.block.set_lines(vec![b'x'; 100]);
        work.park(&mut parked);
        assert_eq!(parked.block.lines(), line("female").repeat(2).as_bytes());
        let runs = |work: &Work| {
            let bytes = |run: &Run| work.block.lines()[run.start as usize..run.end as usize].to_vec();
            work.batch
                .runs
                .iter()
                .map(|run| (bytes(run), run.lines))
                .collect::<Vec<_>>()
        };
        assert_eq!(runs(&parked), runs(&work));
        assert_eq!((&parked.batch.bad, parked.batch.lines), (&work.batch.bad, 1005));
        assert!(parked.parked > 0 && parked.parked < 8000, "{}", parked.parked);
    }

    /// Holds what it is told of places against the bytes that stand there.
    struct Places<'t> {
        text: &'t [u8],
        told: usize,
    }

    impl Sink for Places<'_> {
        type File = String;

        fn create(&mut self, name: &FileName) -> Result<String, Error> {
            Ok(name.to_string())
        }

        fn write(&mut self, _: &mut String, _: &[u8]) -> Result<(), Error> {
            Ok(())
        }

        fn write_from(&mut self, _: &mut String, lines: &[u8], origin: Origin) -> Result<(), Error> {
            assert_eq!(origin.input, 0);
            assert!(
                self.text[origin.offset as usize..].starts_with(lines),
                "{}",
                origin.offset
            );
            self.told += 1;
            Ok(())
        }

        fn close(&mut self, name: String) -> Result<Stored, Error> {
            Ok(Stored { name, size: 0 })
        }
    }

    /// Else a clone would be taken to hold lines that it does not hold, and what was dropped would be exported.
    #[test]
    fn lines_keep_their_place_in_the_input_when_what_was_between_is_gone() {
        let request = Request {
            type_filters: vec!["Patient?gender=female".into()],
            ..Request::default()
        };
        let plan = Plan::compile(&request, &Registry::r4()).expect("valid request");
        let line = |id: u32, gender: &str| {
            format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"gender\":\"{gender}\"}}\n")
        };
        let is_kept = |id: u32| !matches!(id % 7, 2 | 3);
        let lines = (0..60).map(|id| line(id, if is_kept(id) { "female" } else { "male" }));
        let lines: Vec<String> = lines.collect();
        let text = lines.concat().into_bytes();
        for parks in [false, true] {
            let mut places = Places { text: &text, told: 0 };
            let mut router = Router::new(plan.clone(), Limits::default());
            router.begin_input("in");
            for block in lines.chunks(10) {
                let mut work = Work::default();
                work.block.set_lines(block.concat().into_bytes());
                sieve::run(&plan, work.block.lines(), &mut Scratch::default(), &mut work.batch);
                let mut parked = Work::default();
                if parks {
                    work.park(&mut parked);
                    work = parked;
                }
                let taken = router.take(work.block.lines(), &work.batch, false, &mut places);
                taken.expect("a sink that takes everything");
            }
            assert!(places.told > 10, "{}", places.told);
        }
    }
}
