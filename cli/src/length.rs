//! Lengths of time on the command line: `90s`, `24h`, `30d`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

use crate::messages::Faults;

/// A length of time as people write it; days are of 24 hours.
pub(crate) fn duration(flag: &str, text: Option<&str>, faults: &mut Faults) -> Option<Duration> {
    let text = text?;
    let read = text
        .parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    match read.ok().and_then(|length| Duration::try_from(length).ok()) {
        Some(length) => Some(length),
        None => {
            faults.usage(format_args!("{flag}: expected a length of time, as in 90s, 24h or 30d"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let mut faults = Faults::default();
        let mut read = |text| duration("--expires", Some(text), &mut faults).map(|length| length.as_secs());
        assert_eq!(read("90s"), Some(90));
        assert_eq!(read("24h"), Some(86_400));
        assert_eq!(read("30d"), Some(2_592_000));
        assert_eq!(read("1h 30m"), Some(5400));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1h"), None);
    }
}
