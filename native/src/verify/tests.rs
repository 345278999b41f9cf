//! Exports that are whole, and exports in which one thing is wrong.
