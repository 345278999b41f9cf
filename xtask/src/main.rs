//! Work on the repository itself: `cargo run -p xtask -- TASK`.

mod tables;

use std::process::ExitCode;

const USAGE: &str = "usage: xtask tables [--check] --from DIR";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((task, rest)) if task == "tables" => tables::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
