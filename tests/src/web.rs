//! The web port of a process, as a monitor asks it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Process;

impl Process {
    /// The whole answer for a page, its status line included; `None` when there is none.
    pub async fn page(&self, path: &str) -> Option<String> {
        let said = self.log();
        let (_, rest) = said.split_once("web listening on ")?;
        let (address, _) = rest.split_once('\n')?;
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }
}
