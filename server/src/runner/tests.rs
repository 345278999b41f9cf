//! Jobs that are run over a real store, real files and the real engine.

mod exports;
mod life;
mod sweeping;
mod world;
