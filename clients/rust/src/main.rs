//! A whole client of a QMTL mesh, written from proto/ alone. docs/clients.md explains it.
//!
//! ```text
//! qmtl-client vectors FOLDER              check the vectors of proto/testdata
//! qmtl-client walk ADDRESS... TOKEN_FILE  submit, trade on paper and read the book
//! ```

mod calls;
mod events;
mod graph;
mod identity;
#[allow(clippy::all, clippy::pedantic)] // generated
mod pb {
    include!(concat!(env!("OUT_DIR"), "/qmtl.rs"));
}
mod vectors;
mod walk;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let status = error.downcast_ref::<tonic::Status>();
            eprintln!("failed: {}", status.map_or_else(|| error.to_string(), calls::describe));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &[String]) -> Result<(), Box<dyn Error>> {
    match args {
        [act, folder] if act == "vectors" => println!("vectors {}", vectors::check(Path::new(folder))?),
        [act, rest @ ..] if act == "walk" && rest.len() >= 2 => walk::walk(&calls::dial(rest)?).await?,
        _ => return Err("usage: qmtl-client vectors FOLDER | walk ADDRESS... TOKEN_FILE".into()),
    }
    Ok(())
}
