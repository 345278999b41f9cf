//! How many threads a job gets, by processors and by memory.

use std::num::NonZeroUsize;

use crate::size::binary;

/// More help nobody, and the system does not give any number.
const MOST: usize = 1024;
/// Search tables, code, and a buffer for each open file.
const BASE: u64 = 32 << 20;
/// Blocks being read and sieved, and blocks being compressed.
const PER_THREAD: u64 = 8 << 20;
/// What waits of later inputs, for each thread but the first: half as much a thread, and one alone reads nothing ahead.
const WAITING: u64 = 24 << 20;
/// Lines of the greatest length that a thread may hold: one read, in a buffer that grew by doubling, and one that waits
/// for its turn. Measured with nothing but such lines.
const LINES_PER_THREAD: u64 = 3;

/// Memory to sort in where none is stated.
const SORTING: u64 = 1 << 30;

/// As many as asked for, or as there are processors; fewer if memory is short and none were asked for.
///
/// # Errors
/// The memory does not suffice for the threads asked for, or for one.
pub(crate) fn decide(asked: Option<NonZeroUsize>, memory: Option<u64>, max_line: usize) -> Result<usize, String> {
    decide_of(asked, memory, max_line, 4)
}

/// The same where a quarter of the memory is for sorting.
///
/// # Errors
/// As above.
pub(crate) fn decide_beside_sorting(
    asked: Option<NonZeroUsize>,
    memory: Option<u64>,
    max_line: usize,
) -> Result<usize, String> {
    decide_of(asked, memory, max_line, 3)
}

/// Threads may take so many quarters of the memory.
fn decide_of(
    asked: Option<NonZeroUsize>,
    memory: Option<u64>,
    max_line: usize,
    quarters: u64,
) -> Result<usize, String> {
    if let Some(asked) = asked.filter(|asked| asked.get() > MOST) {
        return Err(format!("--threads: expected at most {MOST}, found {asked}"));
    }
    let wanted = asked.or_else(|| std::thread::available_parallelism().ok());
    let wanted = wanted.map_or(1, NonZeroUsize::get);
    let Some(all) = memory else { return Ok(wanted) };
    let memory = (u128::from(all) * u128::from(quarters) / 4) as u64;
    let least = if asked.is_some() { wanted } else { 1 };
    let needed = needed(least, max_line);
    if memory < needed {
        let threads = if least == 1 {
            "a thread".to_owned()
        } else {
            format!("{least} threads")
        };
        return Err(format!(
            "--memory: {threads} and lines of {} need {}; allow that, or lower --max-line{}",
            binary(max_line as u64),
            binary(needed.saturating_mul(4).div_ceil(quarters)),
            if least > 1 { " or --threads" } else { "" }
        ));
    }
    let more = memory.saturating_sub(self::needed(1, max_line)) / (each(max_line) + WAITING);
    Ok(usize::try_from(more)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
        .min(wanted))
}

/// What a thread may need.
fn each(max_line: usize) -> u64 {
    PER_THREAD + LINES_PER_THREAD.saturating_mul(max_line as u64)
}

fn needed(threads: usize, max_line: usize) -> u64 {
    let waiting = WAITING.saturating_mul(threads.saturating_sub(1) as u64);
    let threads = each(max_line).saturating_mul(threads as u64);
    BASE.saturating_add(threads).saturating_add(waiting)
}

/// Bytes to sort in, where output is organized: what the threads leave, or half of all if that is more, since hardly any
/// line is of the greatest length.
pub(crate) fn left_to_sort(memory: Option<u64>, threads: usize, max_line: usize) -> u64 {
    memory.map_or(SORTING, |memory| {
        memory.saturating_sub(needed(threads, max_line)).max(memory / 2)
    })
}

#[cfg(test)]
mod tests {
    use super::{decide, decide_beside_sorting, left_to_sort};
    use std::num::NonZeroUsize;

    const LINE: usize = 1 << 20;

    #[test]
    fn what_is_asked_for_is_given_or_refused() {
        let seven = NonZeroUsize::new(7);
        assert_eq!(decide(seven, None, LINE), Ok(7));
        assert_eq!(decide(seven, Some((32 + 7 * 11 + 6 * 24) << 20), LINE), Ok(7));
        let refused = decide(seven, Some((32 + 6 * 11 + 5 * 24) << 20), LINE).expect_err("too little");
        assert_eq!(
            refused,
            "--memory: 7 threads and lines of 1 MiB need 253 MiB; allow that, or lower --max-line or --threads"
        );
    }

    #[test]
    fn there_is_a_most() {
        assert_eq!(decide(NonZeroUsize::new(1024), None, LINE), Ok(1024));
        assert_eq!(
            decide(NonZeroUsize::new(1025), None, LINE),
            Err("--threads: expected at most 1024, found 1025".to_owned())
        );
    }

    #[test]
    fn little_memory_means_few_threads() {
        assert_eq!(decide(None, Some((32 + 11 + 10) << 20), LINE), Ok(1));
        assert!(decide(None, Some((32 + 10) << 20), LINE).is_err());
    }

    #[test]
    fn sorting_gets_the_rest_or_half() {
        assert_eq!(left_to_sort(None, 2, LINE), 1 << 30);
        assert_eq!(left_to_sort(Some(1000 << 20), 2, LINE), (1000 - 32 - 22 - 24) << 20);
        assert_eq!(left_to_sort(Some(60 << 20), 2, LINE), 30 << 20);
    }

    #[test]
    fn there_is_always_a_thread() {
        assert!(decide(None, None, LINE).is_ok_and(|threads| threads > 0));
    }

    #[test]
    fn what_is_said_to_be_needed_is_enough() {
        for quarters in [decide, decide_beside_sorting] {
            let refused = quarters(None, Some(1), 3 << 20).expect_err("too little");
            let needed: u64 = refused
                .split(" need ")
                .nth(1)
                .and_then(|text| text.split(' ').next()?.parse().ok())
                .expect("a number");
            assert!(quarters(None, Some(needed << 20), 3 << 20).is_ok(), "{refused}");
            assert!(
                quarters(None, Some((needed << 20) * 9 / 10), 3 << 20).is_err(),
                "{refused}"
            );
        }
    }
}
