//! The soak: two replicas, one etcd, one Consul, Envoys of two versions under load, and half an hour in which documents and
//! instances change all the time while servers are killed and stopped. It ends with no failed request, flat memory and
//! descriptors, nothing left behind, and prints these figures.
//!
//! A program of its own, as nobody wants it among the tests that run in a minute: `make soak`, or with other lengths
//! `cargo test --test soak -- --minutes 3 --seed 7 --json figures.json`. Without `--minutes` it does nothing. With `--turning`
//! (`make soak TURNING=1`) nothing is killed or stopped: route tables are divided and joined again instead, and divided otherwise.

// It is a test from end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/support.rs"]
mod support;

mod asked;
mod documents;
mod driver;
mod end;
mod faults;
mod figures;
mod fleet;
mod instances;
mod journal;
mod load;
mod socket;
mod upstream;

use std::process::ExitCode;

use asked::Asked;
use tokio::task::LocalSet;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let Some(asked) = Asked::read(std::env::args().skip(1)) else {
        println!("soak: not asked for; `make soak`, or `--minutes N` here");
        return ExitCode::SUCCESS;
    };
    // A task of its own: what panics there is a finding, told with everything else.
    let tasks = LocalSet::new();
    let course = tasks.spawn_local(driver::run(asked));
    match tasks.run_until(course).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(panic) => {
            println!("soak: given up: {panic}");
            ExitCode::FAILURE
        }
    }
}
