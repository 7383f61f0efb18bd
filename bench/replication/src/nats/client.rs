//! As much of a NATS client as the bench needs: lines of text and payloads behind them, over plain TCP.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const BUFFER: usize = 256 * 1024;
/// A request is answered within this time.
const ANSWER: Duration = Duration::from_secs(10);
/// Where answers come.
const INBOX: &str = "_INBOX.answers";

/// A message that came.
#[derive(Debug)]
pub(super) struct Message {
    subject: String,
    subscription: u32,
    pub(super) reply: Option<String>,
    pub(super) payload: Bytes,
}

/// A connection.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
    subscriptions: u32,
    requests: u64,
    /// Came while something else was waited for.
    kept: VecDeque<Message>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            reader: BufReader::with_capacity(BUFFER, stream.try_clone()?),
            writer: BufWriter::with_capacity(BUFFER, stream),
            subscriptions: 0,
            requests: 0,
            kept: VecDeque::new(),
        };
        let line = client.line()?;
        ensure!(line.starts_with("INFO "), "no NATS server: {line:?}");
        client
            .writer
            .write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"0\"}\r\n")?;
        client.flush()?;
        client.subscribe(&format!("{INBOX}.*"))?;
        Ok(client)
    }

    /// Writes a message; it is sent when the buffer is full, or with the next flush.
    pub(super) fn publish(&mut self, subject: &str, payload: &Bytes) -> Result<()> {
        write!(self.writer, "PUB {subject} {}\r\n", payload.len())?;
        self.writer.write_all(payload)?;
        Ok(self.writer.write_all(b"\r\n")?)
    }

    /// Sends what is written.
    pub(super) fn flush_out(&mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }

    /// Returns when the server has read everything that was written.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.writer.write_all(b"PING\r\n")?;
        self.writer.flush()?;
        self.reader.get_ref().set_read_timeout(Some(ANSWER))?;
        loop {
            match self.read()? {
                Some(message) => self.kept.push_back(message),
                None => return Ok(()),
            }
        }
    }

    /// Subscribes; the number of the subscription.
    pub(super) fn subscribe(&mut self, subject: &str) -> Result<u32> {
        self.subscriptions += 1;
        write!(self.writer, "SUB {subject} {}\r\n", self.subscriptions)?;
        self.flush()?;
        Ok(self.subscriptions)
    }

    /// Asks, and gives the answer.
    pub(super) fn request(&mut self, subject: &str, payload: Bytes) -> Result<Bytes> {
        self.requests += 1;
        let inbox = format!("{INBOX}.{}", self.requests);
        write!(self.writer, "PUB {subject} {inbox} {}\r\n", payload.len())?;
        self.writer.write_all(&payload)?;
        self.writer.write_all(b"\r\n")?;
        self.writer.flush()?;
        Ok(self.next(|message| message.subject == inbox, ANSWER)?.payload)
    }

    /// The next message of a subscription, whatever its subject: JetStream delivers under the subject of the stream.
    pub(super) fn next_of(&mut self, subscription: u32, patience: Duration) -> Result<Message> {
        self.next(|message| message.subscription == subscription, patience)
    }

    fn next(&mut self, is_it: impl Fn(&Message) -> bool, patience: Duration) -> Result<Message> {
        if let Some(at) = self.kept.iter().position(&is_it)
            && let Some(message) = self.kept.remove(at)
        {
            return Ok(message);
        }
        self.reader.get_ref().set_read_timeout(Some(patience))?;
        loop {
            match self.read().context("waiting for a message")? {
                Some(message) if is_it(&message) => return Ok(message),
                Some(message) => self.kept.push_back(message),
                None => {}
            }
        }
    }

    /// The next message, or `None` for a PONG.
    fn read(&mut self) -> Result<Option<Message>> {
        loop {
            let line = self.line()?;
            let mut words = line.split_whitespace();
            match words.next() {
                Some("MSG") => {
                    let words: Vec<&str> = words.collect();
                    let (subject, subscription, reply, length) = match words.as_slice() {
                        [subject, subscription, length] => (*subject, *subscription, None, *length),
                        [subject, subscription, reply, length] => {
                            (*subject, *subscription, Some((*reply).to_owned()), *length)
                        }
                        _ => bail!("not understood: {line:?}"),
                    };
                    let mut payload = vec![0; length.parse::<usize>()? + 2];
                    self.reader.read_exact(&mut payload)?;
                    payload.truncate(payload.len() - 2);
                    let (subject, subscription) = (subject.to_owned(), subscription.parse()?);
                    return Ok(Some(Message { subject, subscription, reply, payload: payload.into() }));
                }
                Some("PING") => {
                    self.writer.write_all(b"PONG\r\n")?;
                    self.writer.flush()?;
                }
                Some("PONG") => return Ok(None),
                Some("+OK" | "INFO") => {}
                _ => bail!("the server says {line:?}"),
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "the server hung up");
        Ok(line)
    }
}
