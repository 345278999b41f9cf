//! What is kept of a block, apart from the block: it may have to wait long for its turn.

use std::mem::size_of_val;

use fhirehose_core::sieve::{Batch, Run};

use super::Work;

impl Work {
    /// A copy with nothing in it but what was kept, so that the buffer can be read into again.
    pub(super) fn park(&self) -> Work {
        let lines = self.block.lines();
        let (mut kept, mut runs) = (Vec::new(), Vec::with_capacity(self.batch.runs.len()));
        let plain = self.batch.runs.iter().filter(|run| !run.made);
        kept.reserve_exact(plain.map(|run| (run.end - run.start) as usize).sum());
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
        let Batch { made, bad, read, .. } = &self.batch;
        let memory = size_of::<Work>()
            + kept.len()
            + size_of_val(&runs[..])
            + size_of_val(&made[..])
            + size_of_val(&bad[..])
            + size_of_val(&read[..]);
        let batch = Batch {
            runs,
            made: made.clone(),
            bad: bad.clone(),
            read: read.clone(),
            ..self.batch
        };
        Work {
            block: self.block.with_lines(kept),
            batch,
            failed: None,
            parked: memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhirehose_core::plan::Plan;
    use fhirehose_core::request::Request;
    use fhirehose_core::search::table::Registry;
    use fhirehose_core::sieve::{self, Scratch};

    use crate::source::Block;

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
        let mut work = Work {
            block: Block::default().with_lines(text.into_bytes()),
            ..Work::default()
        };
        sieve::run(&plan, work.block.lines(), &mut Scratch::default(), &mut work.batch);
        let parked = work.park();
        assert_eq!(parked.block.lines(), line("female").repeat(2).as_bytes());
        let runs = |work: &Work| {
            let bytes = |run: &Run| work.block.lines()[run.start as usize..run.end as usize].to_vec();
            work.batch.runs.iter().map(|run| (bytes(run), run.lines)).collect::<Vec<_>>()
        };
        assert_eq!(runs(&parked), runs(&work));
        assert_eq!((&parked.batch.bad, parked.batch.lines), (&work.batch.bad, 1005));
        assert!(parked.parked > 0 && parked.parked < 8000, "{}", parked.parked);
    }
}
