//! The compiled plan, for people and for programs.
