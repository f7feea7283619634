//! A client's connection, byte for byte, for as long as a test likes: streams that are read as they come, and requests
//! that are never finished.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything takes on a slow machine: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open connection.
pub struct Line {
    stream: TcpStream,
    /// What was heard, and nobody has asked for yet.
    heard: Vec<u8>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its framing says.
    Whole,
    /// Before its framing says.
    Broken,
}

impl Line {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("an open socket");
        Self { stream, heard: Vec::new() }
    }

    /// Sends these bytes.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the server reads").expect("the connection is open");
    }

    /// Sends these bytes if anybody still takes them; `false` if nobody does.
    pub async fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        matches!(timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await, Ok(Ok(())))
    }

    /// Sends something for as long as it is taken at once: how much that was.
    pub async fn stuff(&mut self) -> usize {
        let piece = vec![b'1'; 64 * 1024];
        let mut taken = 0;
        loop {
            match self.stream.try_write(&piece) {
                Ok(written) => taken += written,
                Err(why) => {
                    assert_eq!(why.kind(), std::io::ErrorKind::WouldBlock, "after {taken} bytes");
                    return taken;
                }
            }
            // Whoever takes it may be this thread's next task.
            tokio::task::yield_now().await;
        }
    }

    /// Waits for these words, and gives everything up to their end.
    pub async fn until(&mut self, words: &str) -> String {
        loop {
            let found = self.heard.windows(words.len()).position(|part| part == words.as_bytes());
            if let Some(at) = found {
                let heard: Vec<u8> = self.heard.drain(..at + words.len()).collect();
                return String::from_utf8_lossy(&heard).into_owned();
            }
            assert!(self.hear().await, "{words:?} never came, but {:?}", self.so_far());
        }
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads to the end of a chunked answer, or of the connection.
    pub async fn end(&mut self) -> End {
        while !self.heard.ends_with(b"0\r\n\r\n") {
            if !self.hear().await {
                return End::Broken;
            }
        }
        End::Whole
    }

    /// Reads until the server closes: everything that came.
    pub async fn rest(mut self) -> String {
        while self.hear().await {}
        self.so_far()
    }

    /// What was heard, and nobody has asked for yet.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// Says that nothing more comes, and goes on reading.
    pub async fn hang_up_half(&mut self) {
        self.stream.shutdown().await.expect("the connection is open");
    }

    /// `false` at the end of the connection, however it came.
    async fn hear(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.heard)).await;
        read.unwrap_or_else(|_| panic!("nothing more came, and no end either: {:?}", self.so_far()))
            .is_ok_and(|read| read > 0)
    }
}
