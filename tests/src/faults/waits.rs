//! Odd forms of `Retry-After`. What can be taken by its word is about a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::random::Random;

/// A value, or no header.
pub(super) fn odd(random: &mut Random) -> Option<String> {
    let now = SystemTime::now();
    let date = |time| httpdate::fmt_http_date(time);
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(match random.below(13) {
        0 => "0".to_owned(),
        1 => "soon".to_owned(),
        2 => "-5".to_owned(),
        3 => date(now - Duration::from_secs(3600)),
        4 => date(now + Duration::from_secs(1)),
        // Epoch seconds and milliseconds, as some servers have it.
        5 => (since_1970.as_secs() + 1).to_string(),
        6 => (since_1970.as_millis() + 500).to_string(),
        7 => "1e30".to_owned(),
        8 => String::new(),
        9 => "0.5".to_owned(),
        10 => "99999999999999999999999999".to_owned(),
        11 => "1".to_owned(),
        _ => return None,
    })
}
