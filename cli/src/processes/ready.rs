//! How a process says where it can be reached: the file `flight.addr` in its data directory.

use std::io::Write;
use std::path::Path;

use tokio::net::TcpListener;
use waterbuck_engine::{Error, Result};

/// Opens the port that the setting `name` names; 0 asks for a free one.
pub(super) async fn listen(host: &str, port: u16, name: &str) -> Result<TcpListener> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        let message = format!("port {port} on \"{host}\" cannot be opened, --{name} names another");
        Error::unavailable(message).with_source(error)
    })
}

/// Writes the address that was opened into `file`, whole or not at all.
pub(super) fn announce(data_dir: &Path, file: &str, address: &str) -> Result<()> {
    let failed = |error: std::io::Error| {
        let message = format!("\"{file}\" cannot be written in \"{}\"", data_dir.display());
        Error::unavailable(message).with_source(error)
    };
    std::fs::create_dir_all(data_dir).map_err(failed)?;
    let aside = data_dir.join(format!("{file}.new"));
    let mut out = std::fs::File::create(&aside).map_err(failed)?;
    writeln!(out, "{address}").map_err(failed)?;
    std::fs::rename(&aside, data_dir.join(file)).map_err(failed)
}

/// Removes what [`announce`] wrote.
pub(super) fn withdraw(data_dir: &Path, file: &str) {
    // The process is ending: a file that cannot be removed is overwritten by the next start.
    let _gone = std::fs::remove_file(data_dir.join(file));
}

/// The address of a listener as others write it.
pub(super) fn address_of(listener: &TcpListener) -> Result<String> {
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("the port has no address").with_source(error))?;
    Ok(address.to_string())
}
