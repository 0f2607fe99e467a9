//! The ports of a process, and how it says where they are: files such as `flight.addr` in its data
//! directory.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use waterbuck_engine::{Error, Result};
use waterbuck_transport::ListenerTls;

use crate::config::Config;

/// An open port; without `tls` it is served in plain text.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Arc<ListenerTls>>,
}

impl Port {
    /// The address as others write it.
    pub(super) fn address(&self) -> Result<String> {
        let address = self.listener.local_addr();
        let address = address
            .map_err(|error| Error::internal("the port has no address").with_source(error))?;
        Ok(address.to_string())
    }
}

/// The two ports of every process.
pub(super) struct Ports {
    pub(super) flight: Port,
    pub(super) web: Port,
}

impl Ports {
    /// Opens the ports of a process. Its certificates are read first: with wrong ones nothing is
    /// opened.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let flight_tls = ListenerTls::for_grpc(&config.tls)?;
        let web_tls = ListenerTls::for_web(&config.tls)?;
        Ok(Self {
            flight: Port {
                listener: listen(&config.host, config.flight_port, "flight-port").await?,
                tls: flight_tls,
            },
            web: Port {
                listener: listen(&config.host, config.web_port, "web-port").await?,
                tls: web_tls,
            },
        })
    }
}

/// Opens the port that the setting `name` names; 0 asks for a free one.
async fn listen(host: &str, port: u16, name: &str) -> Result<TcpListener> {
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
