//! The endpoints of the page.
