//! How a client behaves: how long it waits, how often it tries again, and whom it gives its token.

/// Milliseconds since 1970 in UTC, or a length of time in milliseconds. The machine has no clock; each call says what time it is.
pub type Millis = u64;

/// How a client behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The caller has credentials: requests to the server's own origin carry a token.
    pub has_token: bool,
    /// Further origins (`https://host:port`) that may be given the token.
    pub token_origins: Vec<String>,
    /// Send the token across a redirect too, where it stays within an origin that may have it.
    pub token_across_redirects: bool,
    /// Most downloads at once; the machine begins with fewer and learns how many the server likes.
    pub parallel: usize,
    /// Shortest wait between two polls where the server names none.
    pub poll_first: Millis,
    /// Longest wait between two polls where the server names none.
    pub poll_most: Millis,
    /// Longest wait that a `Retry-After` is believed; what is longer counts as this.
    pub retry_after_most: Millis,
    /// Attempts at one thing that bring nothing before it is given up.
    pub attempts: u32,
    /// When the whole has to be over; `None`: it may take as long as it takes, each wait being bounded.
    pub deadline: Option<Millis>,
    /// Do not delete the job at the server when all is safe.
    pub keep_job: bool,
    /// Stop when the job has been accepted and remembered.
    pub detach: bool,
    /// Do not hold the numbers of lines against the manifest's `count`.
    pub ignore_counts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            has_token: false,
            token_origins: Vec::new(),
            token_across_redirects: false,
            parallel: 8,
            poll_first: 1_000,
            poll_most: 60_000,
            retry_after_most: 15 * 60_000,
            attempts: 8,
            deadline: None,
            keep_job: false,
            detach: false,
            ignore_counts: false,
        }
    }
}
